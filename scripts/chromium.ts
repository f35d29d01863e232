import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { chromium as playwright } from 'playwright-core'

/** The first is Debian's smallest: it has no window. */
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
const SECONDS = 300

/** The path of a Chromium; undefined, with a warning, where there is none and none can be installed. */
export async function chromium(): Promise<string | undefined> {
  const found = installed() ?? ((await install()) ? installed() : undefined)
  if (found === undefined)
    console.warn(
      `no Chromium is here and none could be installed: install Debian's ${names[0]}, or run: npx playwright-core install chromium`,
    )
  return found
}

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const ofSystem = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [...ofSystem, playwright.executablePath()].find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A new machine may not know of any package yet. Whoever comes second waits, and finds it installed. */
const script = `
get() { apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=${SECONDS} ${names[0]}; }
command -v ${names[0]} >&2 || get || { apt-get update -qq && get; }`

/** Debian's, where we may. */
async function install(): Promise<boolean> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log(`installing ${names[0]} …`)
  const locked = ['flock', '/var/lib/dpkg', 'sh', '-c', script]
  try {
    // Not a timeout of our own, which would end the shell and leave what it started.
    await promisify(execFile)('timeout', ['--kill-after=10', String(SECONDS), ...locked], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      maxBuffer: 16_777_216,
    })
    return true
  } catch (error) {
    console.warn((error as Error).message)
    return false
  }
}
