import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from './settings.ts'

/** Starts a worker process and waits until it works; `cleanup` ends it. Its log goes to a file in the demo's folder. */
export async function startWorker(
  settings: Settings,
  name: string,
  cleanup: AsyncDisposableStack,
): Promise<ChildProcess> {
  const log = openSync(join(settings.folder, `${name}.log`), 'a')
  const script = join(import.meta.dirname, 'worker.ts')
  const child = spawn(process.execPath, [...process.execArgv, script, JSON.stringify(settings)], {
    stdio: ['ignore', log, log, 'ipc'],
  })
  cleanup.defer(() => stopProcess(child))
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) =>
      Promise.reject(new Error(`worker ${name} ended at its start with ${code}`)),
    ),
  ])
  return child
}

/** Asks a process to end; after five seconds it is killed. */
async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  child.kill('SIGTERM')
  await once(child, 'exit')
  clearTimeout(timer)
}
