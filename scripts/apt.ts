import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const SECONDS = 300

/** A fresh machine has no lists of packages yet. Whoever comes second waits, and finds it installed. No service is started. */
const script = `
policy=/usr/sbin/policy-rc.d
get() { apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=${SECONDS} "$1"; }
test -e "$2" && exit
test -e $policy || { trap 'rm $policy' EXIT; printf '#!/bin/sh\\nexit 101\\n' >$policy; chmod +x $policy; }
get "$1" || { apt-get update -qq && get "$1"; }`

/** Installs a package of Debian's that brings a file, where we may; one process at a time. Tells whether it is there. */
export function aptInstall(name: string, path: string): boolean {
  if (existsSync(path)) return true
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log(`installing ${name} …`)
  const locked = ['flock', '/var/lib/dpkg', 'sh', '-c', script, 'sh', name, path]
  // Not a timeout of our own, which would end the first process and leave those that it started.
  spawnSync('timeout', ['--kill-after=10', String(SECONDS), ...locked], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return existsSync(path)
}
