import type { AnyTask, EndedJob, EnqueueOptions } from 'offload'
import { discard, endedJob, offload, task } from 'offload'
import { LeastPowerServer, testQueue } from 'offload/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '../src/log.ts'

const told: EndedJob[] = []
const tell = task('tell', { input: endedJob, run: (ended) => void told.push(ended) })
const work = task('work', {
  input: z.object({ n: z.number() }),
  onDone: tell,
  retry: { attempts: 2 },
  run({ n }) {
    if (n === 0) throw new Error('nought')
    return n < 0 ? discard('below nought') : n * 2
  },
})
const tasks = [work, tell]

async function endsOf(jobs: (queue: ReturnType<typeof testQueue>) => Promise<unknown>): Promise<EndedJob[]> {
  await using queue = testQueue({ tasks })
  told.length = 0
  await jobs(queue)
  await queue.runUntilIdle({ scheduled: true })
  return [...told]
}

test('what a task names in onDone is told of every end, and of no failed attempt', async () => {
  const ends = await endsOf(async (queue) => {
    for (const n of [7, 0, -1]) await queue.enqueue(work, { n })
    const { id } = await queue.enqueue(work, { n: 1 }, { delay: '1h' })
    await queue.cancel(id)
  })
  const told = ends.map(({ state, attempt, result, error }) => [state, attempt, result, error?.code])
  expect(told).toHaveLength(4)
  expect(told).toEqual(
    expect.arrayContaining([
      ['done', 1, 14, undefined],
      ['dead', 2, undefined, 'HANDLER_FAILED'],
      ['dead', 1, undefined, 'DISCARDED'],
      ['cancelled', 0, undefined, undefined],
    ]),
  )
})

test('onDone of a call takes the place of that of the task, and hands data over', async () => {
  const ends = await endsOf(async (queue) => {
    await queue.enqueue(work, { n: 1 }, { onDone: [] })
    await queue.enqueue(work, { n: 2 }, { onDone: [{ task: tell, data: { to: 'ada' } }, tell] })
  })
  expect(ends.map(({ result, data }) => [result, data])).toEqual([
    [4, { to: 'ada' }],
    [4, undefined],
  ])
})

test('what cannot follow is refused before the job is accepted', async () => {
  await using queue = testQueue({ tasks })
  const stranger = task('stranger', { input: endedJob, run: () => {} })
  const code = (onDone: unknown): Promise<string> =>
    queue.enqueue(work, { n: 1 }, { onDone: onDone as typeof tell }).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    )
  expect(await code(stranger)).toBe('TASK_UNKNOWN')
  expect(await code([tell, tell, tell, tell, tell, tell])).toBe('OPTION_INVALID')
  expect(await code({ task: 'tell' })).toBe('OPTION_INVALID')
  expect(await code({ task: tell, data: 1n })).toBe('PAYLOAD_INVALID')
  expect(queue.enqueued()).toEqual([])
})

test('a follow-up that is queued by hand with something else is refused', async () => {
  await using queue = testQueue({ tasks })
  await expect(queue.enqueue(tell, { id: 'x' } as EndedJob)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})

test('an idempotency key is accepted once for each tenant and task', async () => {
  await using queue = testQueue({ tasks })
  const first = await queue.enqueue(work, { n: 1 }, { idempotencyKey: 'k', tenant: 'a' })
  const again = await queue.enqueue(work, { n: 1 }, { idempotencyKey: 'k', tenant: 'a' })
  const other = await queue.enqueue(work, { n: 2 }, { idempotencyKey: 'k', tenant: 'b' })
  expect([again.id === first.id, again.duplicate, other.duplicate]).toEqual([true, true, false])
  await expect(queue.enqueue(work, { n: 2 }, { idempotencyKey: 'k', tenant: 'a' })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_MISMATCH',
    jobId: first.id,
  })
  const own = { idempotencyKey: 'k', tenant: 'a', fingerprint: 'mine' }
  await expect(queue.enqueue(work, { n: 1 }, own)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' })
})

test('a broker that remembers nothing refuses what only a ledger can do: of tasks at the start, of a job when it is made', async () => {
  const server = new LeastPowerServer(1)
  const plain = task('plain', { input: z.null(), run: () => {} })
  const open = (some: readonly AnyTask[]) => {
    const broker = server.connect()
    const url = { open: async () => ({ broker, close: () => broker.close() }) }
    return offload({ url, ledger: 'none', tasks: some, logger: silentLogger })
  }
  const missing = { code: 'CAPABILITY_MISSING' }
  await using demanding = open(tasks)
  await expect(demanding.ready()).rejects.toMatchObject(missing)
  await using queue = open([plain, tell])
  const refused: EnqueueOptions[] = [{ idempotencyKey: 'k' }, { onDone: tell }, { key: 'k' }]
  for (const options of refused)
    await expect(queue.enqueue(plain, null, options)).rejects.toMatchObject(missing)
  await expect(queue.enqueue(plain, null)).resolves.toMatchObject({ duplicate: false })
})
