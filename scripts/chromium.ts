import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The first is Debian's smallest: it has no window. */
const PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const PACKAGE = 'chromium-headless-shell'
const INSTALL_SECONDS = 300

/** What to do where there is no browser. */
export const noChromium: string = `no Chromium: install one (Debian: apt-get install ${PACKAGE}), or name it in OFFLOAD_CHROMIUM`

/** The path of a Chromium: the one named in OFFLOAD_CHROMIUM, the system's, or Debian's, installed where we may; else undefined. */
export function findChromium(): string | undefined {
  const named = process.env.OFFLOAD_CHROMIUM
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined
  return installed() ?? (install() ? installed() : undefined)
}

const installed = (): string | undefined => PLACES.find((path) => existsSync(path))

/** A fresh machine has no lists of packages yet. Whoever comes second waits, and finds it installed. */
const script = `
get() { apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=${INSTALL_SECONDS} ${PACKAGE}; }
test -e ${PLACES[0]} || get || { apt-get update -qq && get; }`

/** Debian's, where we may; one process at a time. */
function install(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log(`installing ${PACKAGE} …`)
  const locked = ['flock', '/var/lib/dpkg', 'sh', '-c', script]
  // Not a timeout of our own, which would end the first process and leave those that it started.
  const { status } = spawnSync('timeout', ['--kill-after=10', String(INSTALL_SECONDS), ...locked], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return status === 0
}

if (import.meta.main) {
  const path = findChromium()
  console.log(path ?? noChromium)
  if (path === undefined) process.exitCode = 1
}
