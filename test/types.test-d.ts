/** Checked by the compiler alone: a line that should not compile says so, and fails the check when it does. */
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import type { Depth, Handle, Task, Totals } from '../src/index.ts'
import { discard, endedJob, offload, retry, schedule, snooze, task } from '../src/index.ts'
import { testQueue } from '../src/testing/index.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type InputOf<T> = T extends Task<infer Input, infer _> ? Input : never
type ResultOf<T> = T extends Task<infer _, infer Result> ? Result : never
type Receipt = { to: string; copies: number }

const yes = <_ extends true>(): void => {}

const withZod = task('zod', {
  input: z.object({ to: z.string(), copies: z.number() }),
  run: (input) => input.to,
})
const withValibot = task('valibot', {
  input: v.object({ to: v.string(), copies: v.number() }),
  run: async (input) => input.copies,
})
const withArkType = task('arktype', {
  input: type({ to: 'string', copies: 'number' }),
  run: (input, job) => ({ id: job.id, input }),
})
const queue = offload({ url: 'memory:', tasks: [withZod, withValibot, withArkType] })
const input: Receipt = { to: 'a', copies: 1 }

export function inputIsInferred(): void {
  yes<Same<InputOf<typeof withZod>, Receipt>>()
  yes<Same<InputOf<typeof withValibot>, Receipt>>()
  yes<Same<InputOf<typeof withArkType>, Receipt>>()
}

export function resultIsInferred(): void {
  yes<Same<ResultOf<typeof withZod>, string>>()
  yes<Same<ResultOf<typeof withValibot>, number>>()
  yes<Same<ResultOf<typeof withArkType>, { id: string; input: Receipt }>>()
}

export function outcomesAreNoResult(): void {
  const schema = z.number()
  const some = task('some', {
    input: schema,
    run: async (n) => {
      if (n === 0) return retry({ after: '1s' })
      if (n === 1) return snooze('1m')
      if (n === 2) return discard('no')
      return { n }
    },
  })
  const none = task('none', { input: schema, run: () => discard('never') })
  const nothing = task('nothing', { input: schema, run() {} })
  yes<Same<ResultOf<typeof some>, { n: number }>>()
  yes<Same<ResultOf<typeof none>, never>>()
  yes<Same<ResultOf<typeof nothing>, void>>()
}

export async function wrongInputDoesNotCompile(): Promise<void> {
  await queue.enqueue(withZod, input)
  await queue.enqueue(withValibot, input)
  await queue.enqueue(withArkType, input)
  // @ts-expect-error a number is no text
  await queue.enqueue(withZod, { to: 7, copies: 1 })
  // @ts-expect-error copies is missing
  await queue.enqueue(withZod, { to: 'a' })
  // @ts-expect-error a number is no text
  await queue.enqueue(withValibot, { to: 7, copies: 1 })
  // @ts-expect-error a number is no text
  await queue.enqueue(withArkType, { to: 7, copies: 1 })
  // @ts-expect-error no such member
  await queue.enqueue(withZod, { to: 'a', copies: 1, cc: 'b' })
  // @ts-expect-error no input at all
  await queue.enqueue(withZod)
  // @ts-expect-error what might be anything is not checked yet
  await queue.enqueue(withZod, JSON.parse('{}') as unknown)
  // @ts-expect-error one wrong input among many
  await queue.enqueueMany(withZod, [{ input }, { input: { to: 'a' } }])
}

export async function wrongOptionsDoNotCompile(): Promise<void> {
  await queue.enqueue(withZod, input, { delay: '1.5s', priority: 9, key: 'a', deadline: new Date() })
  // @ts-expect-error no such unit
  await queue.enqueue(withZod, input, { delay: '1 week' })
  // @ts-expect-error misspelt
  await queue.enqueue(withZod, input, { prioritty: 1 })
  // @ts-expect-error no such isolation
  task('t', { input: z.string(), isolate: 'fiber', run: () => 1 })
  // @ts-expect-error no schema
  task('t', { run: () => 1 })
  // @ts-expect-error no handler
  task('t', { input: z.string() })
  // @ts-expect-error on() decides by 'discard' or { after }
  task('t', { input: z.string(), retry: { on: () => 'again' }, run: () => 1 })
}

export async function handleKnowsItsResult(): Promise<void> {
  const handle = await queue.enqueue(withZod, input)
  yes<Same<typeof handle, Handle<string>>>()
  yes<Same<Awaited<ReturnType<typeof handle.result>>, string>>()
  const [first] = await queue.enqueueMany(withValibot, [{ input }])
  if (first?.status === 'accepted') yes<Same<typeof first.handle, Handle<number>>>()
}

export async function transformingSchemaHasTwoTypes(): Promise<void> {
  const zod = task('zod', {
    input: z.object({ at: z.string().transform(Number), size: z.number().default(1) }),
    key: (input) => {
      yes<Same<typeof input, { at: string; size?: number | undefined }>>()
      return input.at
    },
    run(input, job) {
      yes<Same<typeof input, { at: number; size: number }>>()
      yes<Same<typeof job.input, { at: number; size: number }>>()
    },
  })
  const valibot = task('valibot', {
    input: v.pipe(v.string(), v.transform(Number)),
    run(input) {
      yes<Same<typeof input, number>>()
    },
  })
  const arktype = task('arktype', {
    input: type('string').pipe((text) => text.length),
    key: (input) => input.slice(1),
    run(input) {
      yes<Same<typeof input, number>>()
    },
  })
  await queue.enqueue(zod, { at: '5' })
  await queue.enqueue(valibot, '5')
  await queue.enqueue(arktype, '5')
  // @ts-expect-error the producer passes what goes into the transformation
  await queue.enqueue(zod, { at: 5 })
  // @ts-expect-error the producer passes what goes into the transformation
  await queue.enqueue(valibot, 5)
  // @ts-expect-error the producer passes what goes into the transformation
  await queue.enqueue(arktype, 5)
}

export function keyIsTold(): void {
  task('t', { input: z.object({ id: z.string().optional() }), key: ({ id }) => id, run: () => 1 })
  // @ts-expect-error a key is a text
  task('t', { input: z.object({ id: z.number() }), key: ({ id }) => id, run: () => 1 })
  // @ts-expect-error the input has no such member
  task('t', { input: z.object({ id: z.number() }), key: ({ customer }) => customer, run: () => 1 })
}

export function handlerQueuesFollowUpWork(): void {
  task('t', {
    input: z.null(),
    async run(_, job) {
      yes<Same<typeof job.signal, AbortSignal>>()
      yes<Same<typeof job.key, string | undefined>>()
      await job.enqueue(withZod, input)
      // @ts-expect-error copies is missing
      await job.enqueue(withZod, { to: 'a' })
      // @ts-expect-error no such member
      await job.enqueue(withZod, { to: 'a', copies: 1, cc: 'b' })
    },
  })
}

export function aScheduleTakesTheInputOfItsTask(): void {
  schedule('a', { task: withZod, input, cron: '0 3 * * *', overlap: 'skip', catchUp: { all: 3 } })
  schedule('b', { task: withArkType, input, every: '15m' })
  // @ts-expect-error copies is a number
  schedule('c', { task: withValibot, input: { to: 'a', copies: '1' }, every: '15m' })
  // @ts-expect-error no such policy
  schedule('d', { task: withZod, input, every: '15m', overlap: 'queue' })
  // @ts-expect-error no such unit
  schedule('e', { task: withZod, input, every: '15 minutes' })
}

export function enqueuedJobsAreTyped(): void {
  const tested = testQueue({ tasks: [withZod, withValibot] })
  const [job] = tested.enqueued(withZod)
  yes<Same<NonNullable<typeof job>['input'], Receipt>>()
  const [any] = tested.enqueued()
  yes<Same<NonNullable<typeof any>['input'], unknown>>()
}

export async function whatFollowsTakesAnEndedJob(): Promise<void> {
  const notice = task('notice', {
    input: endedJob,
    run: ({ state, result }) => {
      yes<Same<typeof state, 'done' | 'dead' | 'cancelled'>>()
      yes<Same<typeof result, unknown>>()
    },
  })
  await queue.enqueue(withZod, input, { onDone: notice })
  await queue.enqueue(withZod, input, { onDone: [notice, { task: notice, data: { to: 'ada' } }] })
  task('t', { input: z.null(), onDone: notice, run: () => 1 })
  // @ts-expect-error it takes something else than an ended job
  await queue.enqueue(withZod, input, { onDone: withZod })
  // @ts-expect-error it takes something else than an ended job
  task('t', { input: z.null(), onDone: { task: withZod }, run: () => 1 })
}

export async function whatCannotBeToldIsNull(): Promise<void> {
  const [one] = await queue.queues()
  yes<Same<typeof one, Depth | undefined>>()
  yes<Same<Depth['waitingBytes'], number | null>>()
  yes<Same<Depth['totals'], Totals | null>>()
  offload({ url: 'memory:', tasks: [], limits: { waiting: 1, waitingBytes: { mail: 1_000_000 } } })
  // @ts-expect-error a number of bytes, not a text
  offload({ url: 'memory:', tasks: [], limits: { waitingBytes: '1 MB' } })
}
