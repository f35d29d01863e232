import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ServerOptions } from './server.ts'

export interface ServerProcess {
  readonly url: string
  readonly port: number
  /** Ends it: `SIGTERM` as a deployment does, `SIGKILL` as a power cut does. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** Starts a server process; ended with the test. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const child = fork(join(import.meta.dirname, 'server.ts'), [JSON.stringify(options)], {
    execArgv: ['--conditions=offload-source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const gone = once(child, 'exit')
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await gone
  }
  onTestFinished(() => end('SIGKILL'))
  const first = await Promise.race([
    once(child, 'message'),
    gone.then(([code]) => [new Error(`exit ${code}`)]),
  ])
  const [port] = first as [number | Error]
  if (port instanceof Error) throw port
  return { url: `http://127.0.0.1:${port}`, port, end }
}

/** The path of a store in a folder of its own, which goes with the test. */
export function storeFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'offload-http-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'jobs.db')
}
