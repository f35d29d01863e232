import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { Worker as Thread } from 'node:worker_threads'
import { OffloadError } from '../../job/errors.ts'
import { discard, retry, snooze } from '../../job/outcome.ts'
import type { AnyTask, EnqueueOptions, JobContext } from '../../task.ts'
import type { FromRunner, ToRunner } from './messages.ts'

/** Runs the handler of an isolated task elsewhere and ends with what it ends with. */
export type RunIsolated = (task: AnyTask, payload: string, job: JobContext) => Promise<unknown>

/** A handler that heeds its signal may end in its own words within this time; then it is killed. */
const GRACE_MS = 50
const IDLE_KEPT = 2

interface Runner {
  readonly kind: 'thread' | 'process'
  send(message: ToRunner): void
  /** The runner's messages and its end, for the job it has now. */
  on: { message(message: FromRunner): void; end(why: string): void }
  kill(): void
}

/** Threads and processes for isolated handlers: kept for the next job, killed for real at an abort. */
export class IsolatePool {
  readonly #tasks: ReadonlyMap<string, AnyTask>
  readonly #idle: Runner[] = []
  readonly #all = new Set<Runner>()

  constructor(tasks: ReadonlyMap<string, AnyTask>) {
    this.#tasks = tasks
  }

  readonly run: RunIsolated = (task, payload, job) => {
    const runner = this.#take(task.isolate ?? 'thread')
    return new Promise<unknown>((resolve, reject) => {
      let grace: NodeJS.Timeout | undefined
      const onAbort = (): void => {
        const reason = job.signal.reason as { code?: string; message?: string }
        runner.send({ type: 'abort', code: reason.code ?? 'WORKER_STOPPED', message: reason.message ?? '' })
        grace = setTimeout(() => runner.kill(), GRACE_MS)
      }
      const settle = (end: () => void, reuse: boolean): void => {
        clearTimeout(grace)
        job.signal.removeEventListener('abort', onAbort)
        runner.on = nobody
        if (reuse) this.#giveBack(runner)
        end()
      }
      runner.on = {
        message: (message) => {
          if (message.type === 'progress') job.progress(JSON.parse(message.value))
          else if (message.type === 'log') job.log(message.message)
          else if (message.type === 'enqueue') void this.#enqueue(runner, message, job)
          else if (message.type === 'result')
            settle(() => resolve(message.value === undefined ? undefined : JSON.parse(message.value)), true)
          else if (message.type === 'outcome') settle(() => resolve(outcomeOf(message)), true)
          else
            settle(
              () =>
                reject(
                  Object.assign(new Error(message.message), { name: message.name, stack: message.stack }),
                ),
              true,
            )
        },
        end: (why) =>
          settle(
            () =>
              reject(
                new OffloadError(
                  'ISOLATE_FAILED',
                  `the ${runner.kind} of task "${task.name}" ended ${why} before its handler did`,
                  { jobId: job.id, task: task.name },
                ),
              ),
            false,
          ),
      }
      job.signal.addEventListener('abort', onAbort, { once: true })
      runner.send({
        type: 'start',
        module: task.module ?? '',
        task: task.name,
        payload,
        job: {
          id: job.id,
          queue: job.queue,
          attempt: job.attempt,
          maxAttempts: job.maxAttempts,
          key: job.key,
        },
      })
    })
  }

  close(): void {
    for (const runner of this.#all) runner.kill()
  }

  async #enqueue(
    runner: Runner,
    { call, task, input, options }: FromRunner & { type: 'enqueue' },
    job: JobContext,
  ): Promise<void> {
    try {
      const known = this.#tasks.get(task)
      if (known === undefined)
        throw new OffloadError('TASK_UNKNOWN', `task "${task}" is not among the tasks of this queue`)
      const handle = await job.enqueue(known, JSON.parse(input), JSON.parse(options) as EnqueueOptions)
      runner.send({ type: 'enqueued', call, id: handle.id, duplicate: handle.duplicate })
    } catch (error) {
      runner.send({ type: 'enqueued', call, error: (error as Error).message })
    }
  }

  #take(kind: Runner['kind']): Runner {
    const index = this.#idle.findIndex((runner) => runner.kind === kind)
    const [idle] = index < 0 ? [] : this.#idle.splice(index, 1)
    if (idle !== undefined) return idle
    const runner =
      kind === 'thread' ? thread((gone) => this.#forget(gone)) : child((gone) => this.#forget(gone))
    this.#all.add(runner)
    return runner
  }

  #giveBack(runner: Runner): void {
    if (this.#idle.length < IDLE_KEPT && this.#all.has(runner)) this.#idle.push(runner)
    else runner.kill()
  }

  #forget(runner: Runner): void {
    this.#all.delete(runner)
    const index = this.#idle.indexOf(runner)
    if (index >= 0) this.#idle.splice(index, 1)
  }
}

const nobody: Runner['on'] = { message: () => {}, end: () => {} }
const entry = new URL(import.meta.url.endsWith('.ts') ? './runner.ts' : './runner.js', import.meta.url)

function thread(onGone: (runner: Runner) => void): Runner {
  const worker = new Thread(entry)
  worker.unref()
  const runner: Runner = {
    kind: 'thread',
    send: (message) => worker.postMessage(message),
    on: nobody,
    kill: () => void worker.terminate(),
  }
  worker.on('message', (message: FromRunner) => runner.on.message(message))
  worker.on('error', (error) => runner.on.end(`with ${String(error)}`))
  worker.on('exit', (code) => {
    onGone(runner)
    runner.on.end(`with exit code ${code}`)
  })
  return runner
}

function child(onGone: (runner: Runner) => void): Runner {
  const process: ChildProcess = fork(entry, {
    serialization: 'json',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  process.unref()
  process.channel?.unref()
  const runner: Runner = {
    kind: 'process',
    send: (message) => void (process.connected && process.send(message)),
    on: nobody,
    kill: () => void process.kill('SIGKILL'),
  }
  process.on('message', (message: FromRunner) => runner.on.message(message))
  process.on('error', (error) => runner.on.end(`with ${String(error)}`))
  process.on('exit', (code, signal) => {
    onGone(runner)
    runner.on.end(signal === null ? `with exit code ${code}` : `by ${signal}`)
  })
  return runner
}

function outcomeOf({ outcome, afterMs, reason }: FromRunner & { type: 'outcome' }): unknown {
  if (outcome === 'snooze') return snooze(afterMs ?? 1)
  if (outcome === 'discard') return discard(reason ?? '')
  return retry({
    ...(afterMs === undefined ? {} : { after: afterMs }),
    ...(reason === undefined ? {} : { reason }),
  })
}
