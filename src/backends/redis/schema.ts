import { BackendError, OffloadError } from '../../job/errors.ts'
import type { Logger } from '../../log.ts'
import type { Connection } from './connection.ts'
import type { Durability } from './location.ts'
import { scripts } from './scripts/index.ts'

/** The version of the keys (docs/backends/redis.md), in the field `version` of the hash `meta`. */
const VERSION = 2
const OLDEST: readonly [number, number] = [6, 2]

/** Refuses a server that is too old and keys of a newer release; says what the settings of the server mean for the promises. */
export async function checkStore(at: Connection, sure: Durability, logger: Logger): Promise<void> {
  const info = await informationOf(at)
  const version = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (version !== '' && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])))
    throw new BackendError(
      'BACKEND_UNAVAILABLE',
      `redis ${version} is too old: 6.2 or newer is needed, or Valkey`,
    )
  const found = Number(await versionOf(at))
  if (!Number.isInteger(found) || found < 1)
    throw new BackendError(
      'BACKEND_CORRUPT',
      `the keys ${at.key('*')} belong to something else; choose another ?prefix=`,
    )
  if (found > VERSION)
    throw new BackendError(
      'BACKEND_NEWER',
      `the keys ${at.key('*')} have version ${found}, this release knows up to ${VERSION}: upgrade offload here; nothing was changed`,
    )
  await checkRights(at)
  if (found < VERSION) await at.run(scripts.upgrade, { args: {} })
  for (const text of warningsOf(info, sure)) logger.warn({ redis: version }, text)
}

/** A user who may not do all that the scripts do is refused now, not in the middle of a step. */
async function checkRights(at: Connection): Promise<void> {
  await at.run(scripts.due, { args: { limit: 0 } })
  await at.command('PUBLISH', at.key('jobs'), '')
}

/** That of the keys, which it is given if it is the first. A full server of ours is opened all the same: workers make room. */
async function versionOf(at: Connection): Promise<unknown> {
  const ask = (): Promise<unknown> => at.command('HGET', at.key('meta'), 'version')
  try {
    await at.command('HSETNX', at.key('meta'), 'version', String(VERSION))
  } catch (error) {
    const found = isFull(error) ? await ask() : null
    if (found === null) throw error
    return found
  }
  return ask()
}

const isFull = (error: unknown): boolean => error instanceof OffloadError && error.code === 'BACKEND_FULL'

async function informationOf(at: Connection): Promise<Map<string, string>> {
  let text = ''
  try {
    text = String(await at.command('INFO'))
  } catch {
    // A user without INFO: nothing can be said.
  }
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const end = line.indexOf(':')
      return end === -1 ? [] : [[line.slice(0, end), line.slice(end + 1)]]
    }),
  )
}

/** One sentence for each setting that weakens a promise. */
export function warningsOf(info: ReadonlyMap<string, string>, { replicas, fsynced }: Durability): string[] {
  const warnings: string[] = []
  const policy = info.get('maxmemory_policy') ?? 'noeviction'
  if (policy !== 'noeviction')
    warnings.push(
      `maxmemory-policy is ${policy}: at its maxmemory this server deletes jobs; set it to noeviction, so that new jobs are refused instead`,
    )
  const isFile = info.get('aof_enabled') === '1'
  if (!isFile && fsynced === 0 && replicas === 0)
    warnings.push(
      'appendonly is off: a restart of this server loses what was accepted since its last snapshot; set appendonly yes, or ask for replicas with ?replicas=1',
    )
  if (!isFile && fsynced > 0)
    warnings.push('appendonly is off, so that ?fsynced= can never be met: set appendonly yes')
  return warnings
}
