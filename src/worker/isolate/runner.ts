import { parentPort } from 'node:worker_threads'
import type { ErrorCode } from '../../job/errors.ts'
import { AbortedError, OffloadError } from '../../job/errors.ts'
import { faultOf } from '../../job/fault.ts'
import { tickOf } from '../../job/id.ts'
import { outcomeType } from '../../job/outcome.ts'
import { decode, encode, validate } from '../../job/payload.ts'
import type { AnyTask, JobContext } from '../../task.ts'
import type { FromRunner, Start, ToRunner } from './messages.ts'

/** The entry of a thread or process that runs isolated handlers, one at a time. */
const MAX_BYTES = 16_777_216
let abort = new AbortController()
let calls = 0
const waiting = new Map<
  number,
  { resolve: (handle: { id: string; duplicate: boolean }) => void; reject: (error: Error) => void }
>()

function send(message: FromRunner): void {
  if (parentPort !== null) parentPort.postMessage(message)
  else process.send?.(message)
}

function receive(message: ToRunner): void {
  if (message.type === 'start') void run(message)
  else if (message.type === 'abort') abort.abort(new AbortedError(message.code as ErrorCode, message.message))
  else {
    const call = waiting.get(message.call)
    waiting.delete(message.call)
    if (message.error === undefined)
      call?.resolve({ id: message.id ?? '', duplicate: message.duplicate === true })
    else call?.reject(new Error(message.error))
  }
}

if (parentPort !== null) parentPort.on('message', receive)
else process.on('message', receive)
process.on('disconnect', () => process.exit(0))

async function run(start: Start): Promise<void> {
  abort = new AbortController()
  try {
    const task = await load(start)
    const input = await validate(task.input, decode(start.payload), task.name, 'INPUT_INVALID')
    const value = await task.run(input, contextOf(start, input))
    const outcome = outcomeType(value)
    if (outcome !== undefined) send({ ...(value as object), type: 'outcome', outcome })
    else
      send({
        type: 'result',
        ...(value === undefined ? {} : { value: encode(value, MAX_BYTES, 'RESULT_INVALID') }),
      })
  } catch (error) {
    const { name, message, stack } = faultOf(error, start.job.attempt, 0)
    send({ type: 'error', name, message, ...(stack === undefined ? {} : { stack }) })
  }
}

async function load({ module, task }: Start): Promise<AnyTask> {
  const exported = (await import(module)) as Record<string, unknown>
  for (const value of Object.values(exported)) {
    if (
      typeof value === 'object' &&
      value !== null &&
      (value as AnyTask).name === task &&
      typeof (value as AnyTask).run === 'function'
    )
      return value as AnyTask
  }
  throw new OffloadError(
    'TASK_UNKNOWN',
    `${module} does not export task "${task}": export it, or correct its module option`,
    { task },
  )
}

function contextOf({ task, job }: Start, input: unknown): JobContext {
  return {
    ...job,
    task,
    input,
    scheduledFor: tickOf(job.id),
    signal: abort.signal,
    progress: (value) => send({ type: 'progress', value: encode(value, 4096) }),
    log: (message) => send({ type: 'log', message: String(message) }),
    enqueue: (other, data, options = {}) =>
      new Promise((resolve, reject) => {
        waiting.set(++calls, { resolve, reject })
        send({
          type: 'enqueue',
          call: calls,
          task: other.name,
          input: encode(data, MAX_BYTES),
          options: encode(options, 65_536),
        })
      }),
  }
}
