import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisServer } from '../../scripts/servers/server.ts'
import { until } from '../../scripts/servers/until.ts'
import { Impossible } from '../faults/fault.ts'

/** A server whose system calls are read, so that it is known how much of its file was on the disk when its power went. */
export class TracedServer implements AsyncDisposable {
  readonly server: RedisServer
  readonly #folder: string

  private constructor(server: RedisServer, folder: string) {
    this.server = server
    this.#folder = folder
  }

  /** @param slowMs what each sync of the disk takes longer than it would */
  static async start(program: string, settings: readonly string[], slowMs = 0): Promise<TracedServer> {
    if (spawnSync('strace', ['-V']).status !== 0)
      throw new Impossible('system calls cannot be read here: install strace')
    const folder = mkdtempSync(join(tmpdir(), 'offload-power-'))
    const slow = slowMs > 0 ? `-e inject=fdatasync:delay_enter=${slowMs * 1000}` : ''
    const [traced, calls] = [join(folder, 'traced'), join(folder, 'calls')]
    // The tracer is a process beside it: who kills the server kills just that. Started again it is not traced.
    const script = `#!/bin/sh
test -e '${calls}' && exec '${program}' "$@"
exec strace -D -f -y -s 0 -e trace=write,fdatasync ${slow} -o '${calls}' '${program}' "$@"
`
    writeFileSync(traced, script, { mode: 0o700 })
    try {
      return new TracedServer(await RedisServer.start({ program: traced, settings }), folder)
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** Kills it and takes from its file all that no sync had finished with: what a power cut may take, at its worst. */
  async cutPower(): Promise<void> {
    await this.server.kill()
    const calls = (): string => readFileSync(join(this.#folder, 'calls'), 'utf8')
    const end = new RegExp(`^${this.server.pid} +\\+\\+\\+ killed by SIGKILL`, 'm')
    await until('the last system call', async () => end.test(calls()))
    for (const [path, size] of syncedSizes(calls())) if (existsSync(path)) truncateSync(path, size)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const AOF = String.raw`\(\d+<([^>]*\.incr\.aof)>`
const WRITE = new RegExp(`^write${AOF}.* = (\\d+)$`)
const SYNC = new RegExp(`^fdatasync${AOF}`)

/** How many bytes of each file that is appended to were surely on the disk at the end: those written before a sync began that ended well. */
export function syncedSizes(calls: string): ReadonlyMap<string, number> {
  const [written, synced] = [new Map<string, number>(), new Map<string, number>()]
  const syncing = new Map<string, { readonly path: string; readonly size: number }>()
  const begun = new Map<string, string>()
  for (const line of calls.split('\n')) {
    const [, thread = '', said = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const call = wholeCall(said, thread, begun)
    const [, synchronized] = SYNC.exec(said) ?? []
    if (synchronized !== undefined)
      syncing.set(thread, { path: synchronized, size: written.get(synchronized) ?? 0 })
    if (call === undefined) continue
    const [, path, bytes] = WRITE.exec(call) ?? []
    if (path !== undefined) {
      written.set(path, (written.get(path) ?? 0) + Number(bytes))
      if (!synced.has(path)) synced.set(path, 0)
    }
    const sync = syncing.get(thread)
    if (sync !== undefined && call.startsWith('fdatasync')) {
      syncing.delete(thread)
      if (/ = 0( \(DELAYED\))?$/.test(call))
        synced.set(sync.path, Math.max(synced.get(sync.path) ?? 0, sync.size))
    }
  }
  return synced
}

/** A call that another thread broke in upon is told in two lines; undefined where it is not told to its end. */
function wholeCall(said: string, thread: string, begun: Map<string, string>): string | undefined {
  const [, beginning] = /^(.*) <unfinished \.\.\.>$/.exec(said) ?? []
  if (beginning !== undefined) {
    begun.set(thread, beginning)
    return undefined
  }
  const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(said) ?? []
  return end === undefined ? said : `${begun.get(thread) ?? ''}${end}`
}
