import { existsSync } from 'node:fs'
import { aptInstall } from './apt.ts'

/** Debian's smallest: it has no window. */
const SMALLEST = '/usr/bin/chromium-headless-shell'
const PLACES = [SMALLEST, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const PACKAGE = 'chromium-headless-shell'

/** What to do where there is no browser. */
export const noChromium: string = `no Chromium: install one (Debian: apt-get install ${PACKAGE}), or name it in OFFLOAD_CHROMIUM`

/** The path of a Chromium: the one named in OFFLOAD_CHROMIUM, the system's, or Debian's, installed where we may; else undefined. */
export function findChromium(): string | undefined {
  const named = process.env.OFFLOAD_CHROMIUM
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined
  return installed() ?? (aptInstall(PACKAGE, SMALLEST) ? SMALLEST : undefined)
}

const installed = (): string | undefined => PLACES.find((path) => existsSync(path))

if (import.meta.main) {
  const path = findChromium()
  console.log(path ?? noChromium)
  if (path === undefined) process.exitCode = 1
}
