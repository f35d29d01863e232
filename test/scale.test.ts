import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { depthOf } from '../lab/depth-of.ts'
import type { ScaleAnswer, ScaleOptions } from '../src/autoscale/index.ts'
import { scaleRoutes, scaler } from '../src/autoscale/index.ts'
import type { Depth } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { Desk, tasks } from './cli/program.ts'

const mail = task('mail', { queue: 'mail', input: z.object({}), run: () => {} })
const other = task('other', { queue: 'other', input: z.object({}), run: () => {} })

/** The routes on queues that are as a test says. */
function routes(depths: () => Promise<Depth[]>, options: ScaleOptions = {}) {
  const source = {
    queues: depths,
    depth: async (name: string) => (await depths()).find(({ queue }) => queue === name) ?? depthOf(name),
  }
  const answers = scaler(source, options)
  onTestFinished(() => answers.close())
  const handler = scaleRoutes(answers)
  return async (path: string, init?: RequestInit): Promise<Response> =>
    (await handler(new Request(`http://localhost${path}`, init))) ?? new Response(null, { status: 404 })
}

test('/scale tells how many are wanted, why, and what that was decided by', async () => {
  const ask = routes(async () => [
    depthOf('mail', { ready: 30, running: 2, scheduled: 1, oldestAgeMs: 900 }),
    depthOf('x'),
  ])
  const response = await ask('/scale')
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toEqual({
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    desired: expect.any(Number),
    active: true,
    reason: expect.any(String),
    text: expect.any(String),
    queues: ['mail', 'x'],
    workers: null,
    ready: 30,
    running: 2,
    scheduled: 1,
    oldestAgeMs: 900,
    arrivalRate: null,
    finishRate: null,
  })
})

test('the workers that are there are counted: those that serve one of the queues and have not stopped', async () => {
  const queue = offload({ url: 'memory:', tasks: [mail, other], presence: 100 })
  onTestFinished(() => queue.close())
  const answers = scaler(queue, { queues: ['mail'] })
  onTestFinished(() => answers.close())
  const seen = async (count: number) => {
    const told = async (): Promise<void> => expect((await answers.answer()).workers).toBe(count)
    await vi.waitFor(told, { timeout: 10_000, interval: 100 })
  }
  await seen(0)
  const [one] = [queue.work({ queues: ['mail'] }), queue.work(), queue.work({ queues: ['other'] })]
  await seen(2)
  await one?.stop()
  await seen(1)
})

test('who is there is asked once for all sets of workers that are asked about at a time', async () => {
  let calls = 0
  const source = {
    queues: async () => [],
    depth: async (name: string) => depthOf(name),
    workers: async () => {
      calls++
      return [{ state: 'running', queues: ['mail'] } as const]
    },
  }
  const answers = scaler(source)
  onTestFinished(() => answers.close())
  const asked = Array.from({ length: 50 }, (_, max) => answers.answer([['max', String(max + 1)]]))
  for (const { workers } of await Promise.all(asked)) expect(workers).toBe(1)
  expect(calls).toBeLessThan(10)
})

test('the query goes before the options, for queues and for numbers', async () => {
  const ask = routes(async () => [depthOf('mail', { ready: 9000, oldestAgeMs: 60_000 }), depthOf('x')], {
    max: 7,
  })
  const desired = async (path: string): Promise<number> =>
    ((await (await ask(path)).json()) as ScaleAnswer).desired
  expect(await desired('/scale?queues=x&min=0')).toBe(0)
  expect(await desired('/scale?queues=mail&min=3&max=3')).toBe(3)
  expect(await desired('/scale')).toBeLessThanOrEqual(7)
})

test('a query that makes no sense is a problem that says what would', async () => {
  const ask = routes(async () => [])
  for (const [query, why] of [
    ['max=many', 'max must be a whole number from 1 to 100000, not "many"'],
    ['min=-1', 'min must be a whole number from 0 to 100000, not "-1"'],
    ['concurrency=0', 'concurrency must be a whole number from 1'],
    ['targetAge=0s', 'targetAge must be above 0'],
    ['queues=', 'queue'],
    ['replicas=3', '"replicas" means nothing here: it takes queues, min, max, concurrency, targetAge'],
  ]) {
    const response = await ask(`/scale?${query}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      code: 'OPTION_INVALID',
      detail: expect.stringContaining(why ?? ''),
    })
  }
})

test('/metrics leaves out what cannot be told, and escapes what is in a label', async () => {
  const ask = routes(async () => [depthOf('mail', { ready: 3, running: null, oldestAgeMs: 1500 })])
  const response = await ask('/metrics')
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const text = await response.text()
  expect(text).toContain('# TYPE offload_desired_workers gauge\noffload_desired_workers{queues="mail"} ')
  expect(text).toContain('offload_ready_jobs{queues="mail"} 3\n')
  expect(text).toContain('offload_oldest_ready_age_seconds{queues="mail"} 1.5\n')
  expect(text).not.toContain('offload_running_jobs')
  expect(text).not.toContain('offload_arrival_rate')
})

test('queues that cannot be measured from the start on are 503; later the number stays and says so, and it is not ready', async () => {
  let isDown = true
  const ask = routes(
    async () => {
      if (isDown) throw new Error('no route')
      return [depthOf('mail', { ready: 5, oldestAgeMs: 10 })]
    },
    { min: 3, max: 3 },
  )
  expect((await ask('/scale')).status).toBe(503)
  expect((await ask('/livez')).status).toBe(200)
  isDown = false
  while ((await ask('/readyz')).status !== 200) await new Promise(setImmediate)
  expect(await (await ask('/scale')).json()).toMatchObject({ desired: 3 })
  isDown = true
  while ((await ask('/readyz')).status === 200) await new Promise(setImmediate)
  const blind = (await (await ask('/scale')).json()) as ScaleAnswer
  expect(blind).toMatchObject({ desired: 3, blind: 'no route' })
  expect(await (await ask('/metrics')).text()).not.toContain('offload_ready_jobs')
})

test('a scaler that comes back to a fleet at work does not send it home', async () => {
  const busy = depthOf('mail', { ready: 1, running: 80, oldestAgeMs: 10 })
  const ask = routes(async () => [busy], { min: 1, max: 20, concurrency: 10 })
  const { desired } = (await (await ask('/scale')).json()) as ScaleAnswer
  expect(desired).toBeGreaterThanOrEqual(8)
})

test('only reading is allowed, and other paths are for others', async () => {
  const ask = routes(async () => [])
  expect(await ask('/scale', { method: 'POST' })).toMatchObject({ status: 405 })
  expect((await ask('/scale', { method: 'POST' })).headers.get('allow')).toBe('GET, HEAD')
  expect((await ask('/toString')).status).toBe(404)
  expect((await ask('/')).status).toBe(404)
})

test('one scaler answers for a hundred sets of workers and no more', async () => {
  const ask = routes(async () => [])
  for (let max = 11; max < 110; max++) expect((await ask(`/scale?max=${max}`)).status).toBe(200)
  expect((await ask('/scale?max=11')).status).toBe(200)
  expect((await ask('/scale?max=999')).status).toBe(400)
})

test('the program serves HTTP and KEDA on this host alone, tells each change, and stops at a signal', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"x"}')
  const program = desk.start(['scale', tasks, '--min', '0', '--port', '0', '--grpc-port', '0', '--json'])
  await program.says('"scaled"')
  const [started = '', scaled = ''] = program.out.split('\n')
  const { host, port, grpcPort } = JSON.parse(started)
  expect([host, grpcPort]).toEqual(['127.0.0.1', expect.any(Number)])
  expect(JSON.parse(scaled)).toMatchObject({ event: 'scaled', to: 1, text: expect.any(String) })
  const answer = (await (await fetch(`http://127.0.0.1:${port}/scale`)).json()) as ScaleAnswer
  expect(answer).toMatchObject({ desired: 1, ready: 1, queues: ['default', 'payments', 'slow'] })
  expect((await fetch(`http://127.0.0.1:${port}/nothing`)).status).toBe(404)
  program.child.kill('SIGTERM')
  expect(await program.ended).toMatchObject({ code: 0, err: '' })
})

test('the program refuses a port that is none, and one that is taken', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"x"}')
  expect(await desk.run('scale', '--port', '70000')).toMatchObject({
    code: 2,
    err: expect.stringContaining('65535'),
  })
  const first = desk.start(['scale', '--port', '0', '--json'])
  await first.says('"started"')
  const { port } = JSON.parse(first.out.split('\n')[0] ?? '')
  const second = await desk.run('scale', '--port', String(port))
  expect(second).toMatchObject({
    code: 2,
    err: expect.stringContaining(`cannot listen on 127.0.0.1:${port}`),
  })
  first.child.kill('SIGTERM')
  await first.ended
})
