import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

const CACHE = join(import.meta.dirname, '../node_modules/.cache/offload/pip')
const SECONDS = 120

/** Whole or not at all; one process at a time. */
const script = `
test -e "$1/current" && exit
rm -rf "$1/new"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps --target "$1/new" "$2"
mv "$1/new" "$1/current"`

/**
 * The folder with a package of PyPI's that needs no other, installed there, outside of every other Python's; undefined where
 * pip or the package is not had. @param requirement with its version: `pika==1.4.4`
 */
export function pipInstall(requirement: string): string | undefined {
  const own = join(CACHE, requirement)
  const current = join(own, 'current')
  if (existsSync(current)) return current
  if (process.platform !== 'linux' || spawnSync('python3', ['--version']).status !== 0) return undefined
  console.log(`installing ${requirement} …`)
  mkdirSync(own, { recursive: true })
  const locked = ['flock', own, 'sh', '-ec', script, 'sh', own, requirement]
  spawnSync('timeout', ['--kill-after=10', String(SECONDS), ...locked], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return existsSync(current) ? current : undefined
}
