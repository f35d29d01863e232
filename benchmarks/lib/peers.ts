import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const peers = join(import.meta.dirname, '../peers')
/** The Node that npm runs on, which better-sqlite3 is built for. */
const env = {
  ...process.env,
  PATH: (process.env.PATH ?? '')
    .split(delimiter)
    .filter((part) => !part.includes('node_modules'))
    .join(delimiter),
}

/** The peers have a lock file of their own. Answers whether they are there. */
export function installPeers(): boolean {
  if (!existsSync(join(peers, 'node_modules'))) {
    console.log('installing the peers (better-sqlite3 may have to be compiled: two minutes) …')
    spawnSync('npm', ['ci'], { cwd: peers, env, stdio: 'inherit' })
  }
  return existsSync(join(peers, 'node_modules', 'bullmq'))
}

/** The Node that better-sqlite3 was built for; undefined where it was not. */
export function sqliteNode(): string | undefined {
  for (const node of [process.execPath, 'node']) {
    const code = "new (require('better-sqlite3'))(':memory:'); console.log(process.execPath)"
    const probe = spawnSync(node, ['-e', code], { cwd: peers, env, encoding: 'utf8' })
    if (probe.status === 0) return probe.stdout.trim()
  }
  return undefined
}

/** Of the peers that are named, and of the server. */
export function versions(names: readonly string[]): string {
  const { dependencies } = JSON.parse(readFileSync(join(peers, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const server = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout?.match(/v=(\S+)/)?.[1]
  return `Beside: ${names.map((name) => `${name} ${dependencies[name]}`).join(', ')}; Redis ${server ?? 'none'}`
}
