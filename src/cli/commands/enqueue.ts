import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { OffloadError } from '../../job/errors.ts'
import { decode } from '../../job/payload.ts'
import type { Offload } from '../../offload.ts'
import { offload } from '../../offload.ts'
import type { AnyTask, EnqueueOptions } from '../../task.ts'
import { task } from '../../task.ts'
import type { Call } from '../call.ts'
import { usageError } from '../call.ts'
import type { Command } from '../command.ts'
import { readableLogger } from '../logger.ts'
import { loadModule, taskNamed } from '../module.ts'
import { checkShared, placeOf, withoutForgetting } from '../store.ts'

const MOST_INPUT_BYTES = 64 * 1024 * 1024

export const enqueue: Command = {
  name: 'enqueue',
  args: '<task> [json|-|@file]',
  takes: [1, 2],
  summary: 'queues a job; its input is JSON, - for stdin or a file; null when left out',
  options: [
    {
      name: 'module',
      value: '<module>',
      help: 'the module that exports the task, with its schema and options',
    },
    { name: 'queue', value: '<name>', help: 'without --module: the queue; "default" unless told otherwise' },
    { name: 'attempts', value: '<n>', help: 'without --module: attempts in all; 5 unless told otherwise' },
    { name: 'delay', value: '<duration>', help: 'start no sooner than after this: 30s, 5m, 2h' },
    { name: 'priority', value: '<0-9>', help: 'higher first; 4 is normal' },
    { name: 'key', value: '<key>', help: 'jobs of a queue with one key run one at a time, in order' },
    { name: 'id', value: '<id>', help: 'accepted once while it is remembered' },
  ],
  about: [
    'Without --module nothing is known of the task but its name: the worker checks the input when the job runs, and a',
    'wrong one becomes a dead letter; what the task says of retries, priority, key and onDone does not count.',
    'With it, the schedules that it exports are left as they are stored: `offload work` stores them.',
  ],
  async run(call) {
    const input = await inputOf(call)
    const { queue, task: named } = await openFor(call)
    try {
      const { id, duplicate } = await queue.enqueue(named, input, optionsOf(call))
      call.terminal.data({ id, task: named.name, queue: named.queue, duplicate })
      call.terminal.print(duplicate ? `${id} is remembered already: nothing was queued` : id)
      return 0
    } finally {
      await queue.close()
    }
  },
}

function optionsOf(call: Call): EnqueueOptions {
  const [delay, priority, key, id] = [
    call.duration('delay'),
    call.number('priority'),
    call.text('key'),
    call.text('id'),
  ]
  return {
    ...(delay === undefined ? {} : { delay }),
    ...(priority === undefined ? {} : { priority }),
    ...(key === undefined ? {} : { key }),
    ...(id === undefined ? {} : { id }),
  }
}

async function openFor(call: Call): Promise<{ queue: Offload; task: AnyTask }> {
  const [name = ''] = call.args
  const specifier = call.text('module')
  if (specifier === undefined) {
    const named = nameOnly(name, call)
    return { queue: open(call, [named]), task: named }
  }
  for (const option of ['queue', 'attempts'])
    if (call.flag(option))
      throw usageError(`--${option} is for a task without --module: the task names its own`)
  const { tasks, queue } = await loadModule(specifier, process.cwd())
  const named = taskNamed(name, tasks)
  const own = call.flag('url') ? undefined : queue
  return { queue: own ?? open(call, tasks), task: named }
}

function open(call: Call, tasks: readonly AnyTask[]): Offload {
  const { url, ledger } = placeOf(call)
  checkShared(url)
  return offload({
    url,
    tasks,
    logger: readableLogger(call.terminal),
    retention: withoutForgetting,
    ...(ledger === undefined ? {} : { ledger }),
  })
}

const anything: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'offload', validate: (value) => ({ value }) },
}

/** A task of which nothing is known but its name. */
function nameOnly(name: string, call: Call): AnyTask {
  const attempts = call.number('attempts')
  return task(name, {
    input: anything,
    queue: call.text('queue') ?? 'default',
    retry: attempts === undefined ? {} : { attempts },
    run: () => undefined,
  })
}

async function inputOf({ args: [, given], terminal }: Call): Promise<unknown> {
  if (given === undefined) return null
  if (given === '-') return parsed(await textOf(terminal.stdin), 'stdin')
  if (given.startsWith('@')) return parsed(await textOf(createReadStream(given.slice(1))), given.slice(1))
  return parsed(given, 'the input')
}

async function textOf(stream: Readable): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of stream) {
      bytes += part.length
      if (bytes > MOST_INPUT_BYTES)
        throw new OffloadError(
          'PAYLOAD_TOO_LARGE',
          `the input is over ${MOST_INPUT_BYTES} bytes; pass a reference to it`,
        )
      parts.push(Buffer.from(part))
    }
  } catch (error) {
    if (error instanceof OffloadError) throw error
    throw usageError(`the input cannot be read: ${(error as Error).message}`)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parsed(text: string, where: string): unknown {
  try {
    JSON.parse(text)
  } catch (error) {
    throw usageError(`${where} is no JSON (${(error as Error).message}): quote it for the shell, '{"a":1}'`)
  }
  return decode(text)
}
