import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { until } from './until.ts'

/** What lives as long as this process: the folders that servers have their data in, and the servers by pid. */
const folders = new Set<string>()
const pids = new Set<number>()

/** Reads wills, one a line, until the writer is gone, and carries out the last one. */
const GUARD = `while read -r line; do will=$line; done; eval "$will"`

let guard: Writable | undefined

/** The folder is removed when this process is gone, however it went: by its end, a signal or a kill. */
export function ownFolder(folder: string): void {
  folders.add(folder)
  tellGuard()
}

export function disownFolder(folder: string): void {
  folders.delete(folder)
  tellGuard()
}

/** The child is killed when this process is gone, however it went. */
export function ownProcess(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  pids.add(pid)
  tellGuard()
  child.once('exit', () => {
    pids.delete(pid)
    tellGuard()
  })
}

/** Ends a child at once, even one that is stopped, and waits until it is gone. */
export async function killChild(
  child: ChildProcess,
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
): Promise<void> {
  if (!isRunning(child)) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** Stops a child in the middle of whatever it does; its connections stay open. */
export async function pauseChild(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP')
  const state = `/proc/${child.pid}/stat`
  if (existsSync(state)) await until('a stopped process', async () => / T /.test(readFileSync(state, 'utf8')))
}

export const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

function tellGuard(): void {
  guard ??= startGuard()
  guard.write(`${will()}\n`)
}

function startGuard(): Writable {
  // In a session of its own, so that the interrupt of a terminal passes it by.
  const guard = spawn('sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.unref()
  if (guard.stdin instanceof Socket) guard.stdin.unref()
  guard.stdin.on('error', () => {})
  return guard.stdin
}

function will(): string {
  const kill = pids.size > 0 ? `kill -9 ${[...pids].join(' ')}; sleep 0.2; ` : ''
  return `${kill}rm -rf ${[...folders].map(quoted).join(' ')}`
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
