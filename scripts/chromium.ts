import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const INSTALL_MS = 240_000

/** What to do where there is no browser. */
export const noChromium =
  'no Chromium: install one (Debian: apt-get install chromium), or name it in OFFLOAD_CHROMIUM'

/** The path of a Chromium: the one named in OFFLOAD_CHROMIUM, the system's, or Debian's, installed where we may; else undefined. */
export function findChromium(): string | undefined {
  const named = process.env.OFFLOAD_CHROMIUM
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined
  return installed() ?? (install() ? installed() : undefined)
}

const installed = (): string | undefined => PLACES.find((path) => existsSync(path))

/** Debian's, where we may. A fresh machine has no lists of packages yet. */
function install(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log('installing chromium …')
  const until = Date.now() + INSTALL_MS
  const aptGet = (...args: string[]): boolean =>
    spawnSync('apt-get', ['-qq', ...args], {
      stdio: 'ignore',
      timeout: Math.max(1, until - Date.now()),
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0
  const chromium = ['install', '-y', '--no-install-recommends', 'chromium']
  return aptGet(...chromium) || (aptGet('update') && aptGet(...chromium))
}

if (import.meta.main) {
  const path = findChromium()
  console.log(path ?? noChromium)
  if (path === undefined) process.exitCode = 1
}
