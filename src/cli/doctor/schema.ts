import { existsSync } from 'node:fs'
import type { Finding } from './finding.ts'
import { ok, warn, wrong } from './finding.ts'

/** Which schema version the file has, read without changing it; opening it would bring an older one forward. */
export async function schemaFinding(file: string): Promise<Finding> {
  if (!existsSync(file)) return ok('schema', 'none yet: the file is made at the first use')
  const { DatabaseSync } = await import('node:sqlite')
  const { FIRST_VERSION, VERSION } = await import('../../backends/sqlite/schema.ts')
  let version: number
  try {
    const db = new DatabaseSync(file, { readOnly: true, timeout: 2000 })
    try {
      version = Number(Object.values(db.prepare('pragma user_version').get() ?? {})[0] ?? 0)
    } finally {
      db.close()
    }
  } catch (error) {
    return wrong(
      'schema',
      `it cannot be read: ${(error as Error).message}`,
      'name another file, or restore a whole copy of this one',
    )
  }
  if (version === VERSION) return ok('schema', `version ${version}`)
  if (version > VERSION)
    return wrong('schema', `version ${version}, this release knows up to ${VERSION}`, 'upgrade offload here')
  if (version >= FIRST_VERSION)
    return warn(
      'schema',
      `version ${version}, this release writes ${VERSION}`,
      'the next process to open it upgrades it: upgrade all of them',
    )
  return version === 0
    ? wrong('schema', 'it is not a file of Offload', 'name another file')
    : wrong(
        'schema',
        `version ${version}, of a pre-release`,
        'finish its jobs with that one, or name another file',
      )
}
