import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const INSTALL_SECONDS = 180
const LOCK = join(tmpdir(), 'offload-chromium.lock')

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

/** Debian's, where we may; one process at a time. A fresh machine has no lists of packages yet. */
function install(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log('installing chromium …')
  const chromium = 'apt-get install -qq -y --no-install-recommends chromium'
  const { status } = spawnSync(
    'flock',
    [
      LOCK,
      'timeout',
      String(INSTALL_SECONDS),
      'sh',
      '-c',
      `${chromium} || { apt-get update -qq && ${chromium}; }`,
    ],
    {
      stdio: 'ignore',
      timeout: 2 * INSTALL_SECONDS * 1000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    },
  )
  return status === 0
}

if (import.meta.main) {
  const path = findChromium()
  console.log(path ?? noChromium)
  if (path === undefined) process.exitCode = 1
}
