import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import type { EndedJob, WebhookEvent, WebhookOptions } from '../src/http/webhooks/index.ts'
import { generateKeyPair, generateSecret, verify, webhooks } from '../src/http/webhooks/index.ts'
import type { WebhookFollowUp } from '../src/http/webhooks/webhooks.ts'
import { Webhooks } from '../src/http/webhooks/webhooks.ts'
import type { JobView } from '../src/index.ts'
import { discard, offload, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import { Offload } from '../src/offload.ts'
import { VirtualClock } from '../src/testing/virtual-clock.ts'
import { listening, receiver } from './webhook-receiver.ts'

const secret = generateSecret()
const other = task('other', { input: z.object({}), run: () => 'ran' })

/** A queue whose time stands still, with a worker that delivers, and a way to tell a receiver of an end. */
function bench(options: Partial<WebhookOptions> = {}, concurrency = 20) {
  const clock = new VirtualClock()
  const random = (): number => 0.5
  const hooks = new Webhooks({ secrets: [secret], allow: () => true, ...options }, clock, random)
  const queue = new Offload(
    { url: 'memory:', tasks: [hooks.task, other], logger: silentLogger },
    clock,
    random,
  )
  onTestFinished(() => moving(clock, queue.close()))
  queue.work({ concurrency })
  const ended = (result: unknown = 'ok'): EndedJob => ({
    id: 'job1',
    task: 'report',
    queue: 'default',
    state: 'done',
    attempt: 1,
    createdAt: clock.now() - 1000,
    endedAt: clock.now(),
    result,
  })
  const tell = async ({ task, data }: WebhookFollowUp, more: Partial<EndedJob> = {}): Promise<string> =>
    (await queue.enqueue(task, { ...ended(), ...more, data })).id
  const settled = (id: string, state: JobView['state']): Promise<JobView> =>
    vi.waitFor(
      async () => {
        const job = await queue.get(id)
        expect(job?.state).toBe(state)
        return job as JobView
      },
      { timeout: 10_000, interval: 5 },
    )
  return { clock, hooks, queue, tell, settled, ended }
}

/** A worker that stops waits for its clock, which stands still. */
async function moving(clock: VirtualClock, stopping: Promise<void>): Promise<void> {
  let isOver = false
  const over = stopping.finally(() => {
    isOver = true
  })
  while (!isOver) await clock.advance(1000)
  await over
}

const until = (condition: () => unknown): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBeTruthy(), { timeout: 10_000, interval: 5 })

test('an ended job is told to its receiver, signed as Standard Webhooks says', async () => {
  const { url, requests } = await receiver()
  const { hooks, tell, settled, clock } = bench({
    endpoints: { crm: { url } },
    base: 'https://api.example.com/jobs/',
  })
  const job = await settled(await tell(hooks.to('crm'), { result: { pages: 3 } }), 'done')
  expect(job).toMatchObject({ queue: 'webhooks', maxAttempts: 10, result: { status: 204 } })
  const [request] = requests
  expect(request?.headers).toMatchObject({
    'content-type': 'application/json',
    'user-agent': expect.stringMatching(/^offload\/\d+\.\d+\.\d+/),
    'webhook-id': `msg_${job.id}`,
    'webhook-timestamp': String(clock.now() / 1000),
    connection: 'close',
  })
  const event = verify(request?.headers ?? {}, request?.body ?? '', secret, { now: clock.now() })
  expect(event).toMatchObject({
    type: 'job.done',
    data: { id: 'job1', result: { pages: 3 }, links: { self: 'https://api.example.com/jobs/job1' } },
  })
  const {
    'webhook-id': id = '',
    'webhook-timestamp': at,
    'webhook-signature': signature,
  } = request?.headers ?? {}
  const reference = new Webhook(secret).sign(`${id}`, new Date(Number(at) * 1000), request?.body ?? '')
  expect(signature).toBe(reference)
})

test('a job that ends is told to the receivers that onDone names, whichever way it ends', async () => {
  const crm = await receiver()
  const customer = await receiver()
  const hooks = webhooks({ secrets: [secret], allow: () => true, endpoints: { crm: { url: crm.url } } })
  const report = task('report', {
    input: z.object({ pages: z.number() }),
    run: ({ pages }) => (pages === 0 ? discard('nothing to print') : { pages }),
  })
  const folder = mkdtempSync(join(tmpdir(), 'offload-webhooks-'))
  const url = `sqlite:${join(folder, 'jobs.db')}`
  const queue = offload({ url, tasks: [report, hooks.task], logger: silentLogger })
  onTestFinished(async () => {
    await queue.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const onDone = [hooks.to('crm'), hooks.to({ url: customer.url })]
  const done = await queue.enqueue(report, { pages: 3 }, { onDone, tenant: 'acme' })
  const dead = await queue.enqueue(report, { pages: 0 }, { onDone: hooks.to('crm') })
  const cancelled = await queue.enqueue(report, { pages: 1 }, { onDone: hooks.to('crm'), delay: '1h' })
  await cancelled.cancel()
  queue.work()
  await until(() => crm.requests.length === 3 && customer.requests.length === 1)
  const told = crm.requests.map(({ headers, body }) => verify(headers, body, secret)) as WebhookEvent[]
  expect(told.sort((a, b) => a.type.localeCompare(b.type))).toMatchObject([
    { type: 'job.cancelled', data: { id: cancelled.id } },
    { type: 'job.dead', data: { id: dead.id, error: { code: 'DISCARDED', detail: 'nothing to print' } } },
    { type: 'job.done', data: { id: done.id, result: { pages: 3 }, tenant: 'acme' } },
  ])
  const ids = [...crm.requests, ...customer.requests].map(({ headers }) => headers['webhook-id'])
  expect(new Set(ids).size).toBe(4)
  expect(ids.join()).toMatch(/^(msg_\w+,?){4}$/)
})

test('ten attempts follow the schedule, with one id and one body, each signed anew; then the receiver is disabled', async () => {
  const onDisabled = vi.fn()
  const { url, requests } = await receiver((response, count) => response.writeHead(500).end(`no ${count}`))
  const { hooks, tell, settled, clock, queue } = bench({ endpoints: { crm: { url } }, onDisabled })
  const id = await tell(hooks.to('crm'))
  const times: number[] = []
  for (const [index, seconds] of [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400].entries()) {
    if (seconds > 0) {
      await clock.jump(seconds * 1000 - 1)
      expect(requests).toHaveLength(index)
      await clock.jump(1)
    }
    await until(() => requests.length === index + 1)
    await settled(id, index < 9 ? 'scheduled' : 'dead')
    times.push(Number(requests[index]?.headers['webhook-timestamp']))
  }
  expect(new Set(requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(new Set(requests.map(({ body }) => body)).size).toBe(1)
  expect(new Set(requests.map(({ headers }) => headers['webhook-signature'])).size).toBe(10)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(75 * 3600)
  const dead = await queue.get(id)
  expect(dead?.error).toMatchObject({
    code: 'WEBHOOK_FAILED',
    message: expect.stringContaining('answered 500: no 10'),
  })
  expect(await hooks.disabled()).toEqual([
    { name: 'crm', url, reason: expect.stringContaining('10 attempts failed'), at: expect.any(Number) },
  ])
  expect(onDisabled).toHaveBeenCalledExactlyOnceWith((await hooks.disabled())[0])
})

test('a receiver that answers 410 is disabled at once; by hand it is enabled, and what was discarded is sent', async () => {
  let isGone = true
  const onDisabled = vi.fn(() => {
    throw new Error('the mail is down')
  })
  const { url, requests } = await receiver((response) => response.writeHead(isGone ? 410 : 200).end())
  const { hooks, tell, settled, queue } = bench({ endpoints: { crm: { url } }, onDisabled })
  const first = await settled(await tell(hooks.to('crm')), 'dead')
  expect(first.error).toMatchObject({ code: 'DISCARDED', message: expect.stringContaining('410 Gone') })
  expect(first.log).toEqual([{ at: expect.any(Number), message: 'onDisabled failed: the mail is down' }])
  const second = await settled(await tell(hooks.to('crm')), 'dead')
  expect(second.error?.message).toContain('enable "crm", then retry this job')
  expect([requests.length, onDisabled.mock.calls.length]).toEqual([1, 1])

  isGone = false
  expect(await hooks.enable('crm')).toBe(true)
  expect(await hooks.enable('crm')).toBe(false)
  expect(await hooks.disabled()).toEqual([])
  const { jobs } = await queue.find({ queue: 'webhooks', state: 'dead' })
  expect(jobs.map(({ id }) => id).sort()).toEqual([first.id, second.id].sort())
  for (const { id } of jobs) expect(await queue.retry(id)).toBe(true)
  for (const { id } of jobs) await settled(id, 'done')
  expect(requests.map(({ headers }) => headers['webhook-id']).sort()).toEqual(
    [`msg_${first.id}`, `msg_${first.id}`, `msg_${second.id}`].sort(),
  )
})

test('deliveries that find a receiver gone together tell of it once', async () => {
  const held: (() => void)[] = []
  const onDisabled = vi.fn()
  const { url } = await receiver((response) => void held.push(() => response.writeHead(410).end()))
  const { hooks, tell, settled } = bench({ endpoints: { crm: { url } }, onDisabled })
  const ids = await Promise.all([tell(hooks.to('crm')), tell(hooks.to('crm')), tell(hooks.to('crm'))])
  await until(() => held.length === 3)
  for (const answer of held) answer()
  for (const id of ids) await settled(id, 'dead')
  expect(onDisabled).toHaveBeenCalledOnce()
})

test('a URL of one request is disabled by itself, and enabled by itself', async () => {
  const { url } = await receiver((response) => response.writeHead(410).end())
  const fine = await receiver()
  const { hooks, tell, settled } = bench()
  await settled(await tell(hooks.to(`${url}?customer=1`)), 'dead')
  expect(await hooks.disabled()).toMatchObject([
    { name: expect.stringMatching(/^url:/), url: `${url}?customer=1` },
  ])
  await settled(await tell(hooks.to(fine.url)), 'done')
  expect(await hooks.enable(`${url}?customer=2`)).toBe(false)
  expect(await hooks.enable(`${url}?customer=1#fragment`)).toBe(true)
})

test('a receiver that takes others meanwhile is not disabled for one that it refuses', async () => {
  const { url, requests } = await receiver((response) => {
    const isBad = requests.at(-1)?.body.includes('bad')
    response.writeHead(isBad === true ? 400 : 200).end()
  })
  const { hooks, tell, settled, clock } = bench({ endpoints: { crm: { url } } })
  const bad = await tell(hooks.to('crm'), { result: 'bad' })
  await until(() => requests.length === 1)
  await settled(bad, 'scheduled')
  await settled(await tell(hooks.to('crm')), 'done')
  for (let count = 3; count <= 11; count++) {
    await clock.jump(86_400_000)
    await until(() => requests.length === count)
    await settled(bad, count < 11 ? 'scheduled' : 'dead')
  }
  expect(await hooks.disabled()).toEqual([])
})

test.each([
  ['seconds', () => '120'],
  ['a date', (now: number) => new Date(now + 120_000).toUTCString()],
])(
  'a receiver that asks for time in %s gets it, and its other deliveries wait at no cost',
  async (_, value) => {
    const { url, requests } = await receiver((response, count) => {
      if (count === 1) response.writeHead(429, { 'retry-after': value(clock.now()) }).end('slower')
      else response.writeHead(200).end()
    })
    const fine = await receiver()
    const { hooks, tell, settled, clock } = bench({ endpoints: { busy: { url }, fine: { url: fine.url } } })
    const first = await tell(hooks.to('busy'))
    await settled(first, 'scheduled')
    const second = await tell(hooks.to('busy'))
    expect(await settled(second, 'scheduled')).toMatchObject({ attempt: 0, faults: [] })
    await settled(await tell(hooks.to('fine')), 'done')

    await clock.jump(119_999)
    expect(requests).toHaveLength(1)
    await clock.jump(10_000)
    await settled(second, 'done')
    await settled(first, 'done')
    expect(requests).toHaveLength(3)
  },
)

test.each([502, 503, 504])(
  'after %i without Retry-After the other deliveries wait five seconds',
  async (status) => {
    const { url, requests } = await receiver((response, count) =>
      response.writeHead(count === 1 ? status : 200).end(),
    )
    const { hooks, tell, settled, clock } = bench({ endpoints: { busy: { url } } })
    const first = await tell(hooks.to('busy'))
    await settled(first, 'scheduled')
    const second = await tell(hooks.to('busy'))
    await settled(second, 'scheduled')
    await clock.jump(4999)
    expect(requests).toHaveLength(1)
    await clock.jump(5000)
    await settled(second, 'done')
  },
)

test('a redirect is a failure and is not followed', async () => {
  const elsewhere = await receiver()
  const { url, requests } = await receiver((response) =>
    response.writeHead(307, { location: elsewhere.url }).end(),
  )
  const { hooks, tell, settled } = bench({ endpoints: { crm: { url } } })
  const job = await settled(await tell(hooks.to('crm')), 'scheduled')
  expect(job.error).toMatchObject({
    code: 'WEBHOOK_FAILED',
    message: expect.stringMatching(/answered 307 \(redirects are not followed\)$/),
  })
  expect([requests.length, elsewhere.requests.length]).toEqual([1, 0])
})

test('a receiver that does not answer in time has failed', async () => {
  const { url, requests } = await receiver(() => {})
  const { hooks, tell, settled, clock } = bench({ endpoints: { slow: { url } }, timeout: '15s' })
  const id = await tell(hooks.to('slow'))
  await until(() => requests.length === 1)
  await clock.advance(15_000)
  const job = await settled(id, 'scheduled')
  expect(job.error).toMatchObject({
    code: 'WEBHOOK_FAILED',
    message: expect.stringContaining('within 15000 ms'),
  })
})

test('a name that is never looked up to the end has failed too', async () => {
  const lookup = vi.fn(() => new Promise<never>(() => {}))
  const { hooks, tell, settled, clock } = bench({ lookup })
  const id = await tell(hooks.to('https://hooks.example.com/'))
  await until(() => lookup.mock.calls.length === 1)
  await clock.advance(20_000)
  expect((await settled(id, 'scheduled')).error?.message).toContain('did not answer within 20000 ms')
})

test.each([
  [
    'nobody listens',
    'ECONNREFUSED',
    async () => {
      const server = createTcpServer()
      const port = await listening(server)
      await new Promise((resolve) => server.close(resolve))
      return port
    },
  ],
  ['the connection breaks off', 'ECONNRESET', () => tcp((socket) => socket.destroy())],
  ['the answer is no HTTP', 'HPE_', () => tcp((socket) => socket.write('hello\r\n\r\n'))],
  [
    'the head never ends',
    'HPE_HEADER_OVERFLOW',
    () => tcp((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}`)),
  ],
])('a delivery fails when %s', async (_, code, open) => {
  const { hooks, tell, settled } = bench()
  const job = await settled(await tell(hooks.to(`http://127.0.0.1:${await open()}/`)), 'scheduled')
  expect(job.error?.code).toBe('WEBHOOK_FAILED')
  expect(job.error?.message).toContain(code)
})

async function tcp(onRequest: (socket: import('node:net').Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onRequest(socket))
  })
  onTestFinished(() => void server.close())
  return listening(server)
}

test('of an endless answer only the beginning is read', async () => {
  let sent = 0
  let isClosed = false
  const { url } = await receiver((response) => {
    response.writeHead(500, { 'content-type': 'text/plain' })
    response.on('close', () => {
      isClosed = true
    })
    const more = (): void => {
      while (!response.destroyed && response.write('y\u001b'.repeat(8192))) sent += 16_384
    }
    response.on('drain', more)
    more()
  })
  const { hooks, tell, settled } = bench({ endpoints: { crm: { url } } })
  const { error } = await settled(await tell(hooks.to('crm')), 'scheduled')
  expect(error?.message).toMatch(/answered 500: (y ){99}y/)
  await until(() => isClosed)
  expect(sent).toBeLessThan(16 * 1024 * 1024)
})

test('an answer counts by its status, also when its body breaks off or never comes', async () => {
  const broken = await receiver((response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('x', () => response.destroy())
  })
  const stalled = await receiver((response) => response.writeHead(200).flushHeaders())
  const hooks = webhooks({ secrets: [secret], allow: () => true, timeout: '1s' })
  const queue = offload({ url: 'memory:', tasks: [hooks.task], logger: silentLogger })
  onTestFinished(() => queue.close())
  queue.work()
  const ended: EndedJob = {
    id: 'a',
    task: 't',
    queue: 'q',
    state: 'done',
    attempt: 1,
    createdAt: 0,
    endedAt: 0,
  }
  for (const { url } of [broken, stalled]) {
    const { task, data } = hooks.to(url)
    const handle = await queue.enqueue(task, { ...ended, data })
    expect(await handle.result({ timeout: '20s' })).toEqual({ status: 200 })
  }
})

test('a slow receiver has so many deliveries at once, and holds up no other', async () => {
  let underWay = 0
  let most = 0
  const answers: (() => void)[] = []
  const slow = await receiver((response) => {
    most = Math.max(most, ++underWay)
    answers.push(() => {
      underWay--
      response.writeHead(200).end()
    })
  })
  const fine = await receiver()
  const { hooks, tell, settled, clock, queue } = bench({
    concurrency: 3,
    endpoints: { slow: { url: slow.url }, fine: { url: fine.url } },
  })
  const ids = await Promise.all(Array.from({ length: 12 }, () => tell(hooks.to('slow'))))
  await until(() => slow.requests.length === 3)
  for (let count = 0; count < 5; count++) await settled(await tell(hooks.to('fine')), 'done')
  expect(slow.requests).toHaveLength(3)
  while (slow.requests.length < 12 || underWay > 0) {
    for (const answer of answers.splice(0)) answer()
    await vi.waitFor(async () => expect((await queue.depth('webhooks')).running).toBe(0))
    await clock.advance(250)
    const { running } = await queue.depth('webhooks')
    await until(() => underWay === running)
  }
  for (const id of ids) expect(await settled(id, 'done')).toMatchObject({ attempt: 1, faults: [] })
  expect(most).toBe(3)
})

test('URLs that differ in their query only share the limit', async () => {
  const { url, requests } = await receiver(() => {})
  const { hooks, tell, queue } = bench({ concurrency: 2 })
  const ids = await Promise.all(
    Array.from({ length: 6 }, (_, index) => tell(hooks.to(`${url}?job=${index}`))),
  )
  await until(() => requests.length === 2)
  await vi.waitFor(async () => {
    const jobs = await Promise.all(ids.map((id) => queue.get(id)))
    expect(jobs.filter((job) => job?.state === 'scheduled')).toHaveLength(4)
  })
  expect(requests).toHaveLength(2)
})

test('a receiver is told of the events that it wants only', async () => {
  const { url, requests } = await receiver()
  const { hooks, tell, settled } = bench({ endpoints: { crm: { url, events: ['job.dead'] } } })
  expect((await settled(await tell(hooks.to('crm')), 'done')).result).toEqual({ skipped: 'job.done' })
  await settled(
    await tell(hooks.to('crm'), { state: 'dead', error: { code: 'DISCARDED', message: 'x' } }),
    'done',
  )
  expect(requests.map(({ body }) => JSON.parse(body).type)).toEqual(['job.dead'])
})

test('every secret signs, and one function may give each customer its own', async () => {
  const { url, requests } = await receiver()
  const [old, newest, pair] = [generateSecret(), generateSecret(), generateKeyPair()]
  const secrets = vi.fn(async ({ tenant }: { tenant?: string }) => [
    `whsec_${Buffer.alloc(32, tenant).toString('base64')}`,
  ])
  const { hooks, tell, settled, clock } = bench({
    secrets,
    endpoints: { crm: { url, secrets: [newest, old, pair.secret] } },
  })
  await settled(await tell(hooks.to('crm')), 'done')
  await settled(await tell(hooks.to(url), { tenant: 'acme' }), 'done')
  const [crm, acme] = requests
  const verified = (request: typeof crm, key: string): unknown =>
    verify(request?.headers ?? {}, request?.body ?? '', key, { now: clock.now() })
  for (const key of [old, newest, pair.publicKey])
    expect(verified(crm, key)).toMatchObject({ type: 'job.done' })
  expect(verified(acme, `whsec_${Buffer.alloc(32, 'acme').toString('base64')}`)).toMatchObject({
    type: 'job.done',
  })
  expect(() => verified(acme, old)).toThrow('no signature fits')
  expect(secrets).toHaveBeenCalledExactlyOnceWith({
    name: expect.stringMatching(/^url:/),
    url,
    tenant: 'acme',
  })
})

test('a delivery is given back when its worker stops', async () => {
  const { url, requests } = await receiver(() => {})
  const hooks = webhooks({ secrets: [secret], allow: () => true })
  const queue = offload({ url: 'memory:', tasks: [hooks.task], logger: silentLogger })
  onTestFinished(() => queue.close())
  const worker = queue.work()
  const { task, data } = hooks.to(url)
  const ended: EndedJob = {
    id: 'a',
    task: 't',
    queue: 'q',
    state: 'done',
    attempt: 1,
    createdAt: 0,
    endedAt: 0,
    data,
  }
  const { id } = await queue.enqueue(task, ended)
  await until(() => requests.length === 1)
  await worker.stop({ timeout: 1 })
  expect(await queue.get(id)).toMatchObject({ state: 'queued', attempt: 0, faults: [] })
})

test('CloudEvents come in binary mode, signed alike, from a sender with a name', async () => {
  const { url, requests } = await receiver()
  const base = 'https://api.example.com/jobs'
  const { hooks, tell, settled, clock } = bench({
    endpoints: { crm: { url } },
    base,
    envelope: 'cloudevents',
  })
  const { id } = await settled(await tell(hooks.to('crm')), 'done')
  const [request] = requests
  expect(request?.headers).toMatchObject({
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': `msg_${id}`,
    'webhook-id': `msg_${id}`,
    'ce-source': base,
    'ce-type': 'offload.job.done',
    'webhook-request-origin': 'api.example.com',
  })
  expect(verify(request?.headers ?? {}, request?.body ?? '', secret, { now: clock.now() })).toMatchObject({
    id: 'job1',
    state: 'done',
  })
})

test('a handshake asks with OPTIONS, and only the headers of the answer count', async () => {
  const answers = [
    { 'webhook-allowed-origin': 'api.example.com', 'webhook-allowed-rate': '120' },
    { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' },
    { 'webhook-allowed-origin': 'other.example.com' },
    {},
  ]
  const { url, requests } = await receiver((response, count) =>
    response.writeHead(200, answers[count - 1]).end(),
  )
  const { hooks } = bench({ endpoints: { crm: { url } }, base: 'https://api.example.com/jobs' })
  expect(await hooks.handshake('crm')).toEqual({ allowed: true, ratePerMinute: 120 })
  expect(await hooks.handshake('crm')).toEqual({ allowed: true })
  expect(await hooks.handshake(url)).toEqual({ allowed: false })
  expect(await hooks.handshake({ url })).toEqual({ allowed: false })
  expect(requests.map(({ method, headers }) => [method, headers['webhook-request-origin']])).toEqual(
    Array(4).fill(['OPTIONS', 'api.example.com']),
  )
  await expect(bench().hooks.handshake(url)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

test('an unknown receiver is told at once, and one that a worker does not know is a dead letter', async () => {
  const { url } = await receiver()
  const { hooks, tell, settled, queue, ended } = bench({ endpoints: { crm: { url } } })
  expect(() => hooks.to('crn')).toThrow(/no endpoint is called "crn".*which has crm/)
  expect(() => hooks.to('constructor')).toThrow('no endpoint is called')
  expect(() => hooks.to({ url: 'crm' })).toThrow('no absolute URL')
  const gone = await settled(await tell({ task: hooks.task, data: { endpoint: 'gone' } }), 'dead')
  expect(gone.error).toMatchObject({
    code: 'DISCARDED',
    message: expect.stringContaining('{"endpoint":"gone"}'),
  })
  for (const data of [undefined, null, 7, {}, { url: 7 }]) {
    const { id } = await queue.enqueue(hooks.task, { ...ended(), ...(data === undefined ? {} : { data }) })
    expect((await settled(id, 'dead')).error?.code).toBe('DISCARDED')
  }
  await expect(queue.enqueue(hooks.task, { id: 'x' } as EndedJob)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
})

test.each<[string, Partial<WebhookOptions>]>([
  ['no secrets', { secrets: [] }],
  ['a public key', { secrets: [generateKeyPair().publicKey] }],
  ['an endpoint whose name looks like a URL', { endpoints: { 'url:x': { url: 'https://example.com' } } }],
  [
    'an unknown event',
    { endpoints: { crm: { url: 'https://example.com', events: ['job.lost' as 'job.done'] } } },
  ],
  ['no concurrency', { concurrency: 0 }],
  ['half a concurrency', { endpoints: { crm: { url: 'https://example.com', concurrency: 0.5 } } }],
  ['no time', { timeout: 0 }],
  ['too much time', { timeout: '1h' }],
  ['a base that is no URL', { base: '/jobs' }],
  ['a base with a query', { base: 'https://example.com/jobs?x=1' }],
  ['an unknown envelope', { envelope: 'soap' as 'standard' }],
  ['a queue with a space', { queue: 'web hooks' }],
  ['no source', { source: '' }],
])('webhooks() refuses %s', (_, options) => {
  expect(() => bench(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})

test('a wrong URL of an endpoint is told with its name', () => {
  const endpoints = { crm: { url: 'https://127.0.0.1/' } }
  const make = (): unknown => new Webhooks({ secrets: [secret], endpoints }, new VirtualClock(), Math.random)
  expect(make).toThrow(
    expect.objectContaining({ code: 'WEBHOOK_REFUSED', message: expect.stringContaining('endpoints.crm') }),
  )
})

test('a receiver that one process finds gone is known to the others, and after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'offload-webhooks-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { url, requests } = await receiver((response) => response.writeHead(410).end())
  const open = () => {
    const hooks = webhooks({ secrets: [secret], allow: () => true, endpoints: { crm: { url } } })
    const queue = offload({ url: `sqlite:${folder}/jobs.db`, tasks: [hooks.task], logger: silentLogger })
    return { hooks, queue }
  }
  const input = {
    id: 'job1',
    task: 'report',
    queue: 'default',
    state: 'done',
    attempt: 1,
    createdAt: 0,
    endedAt: 1,
    data: { endpoint: 'crm' },
  } as const
  const first = open()
  const worker = first.queue.work()
  const handle = await first.queue.enqueue(first.hooks.task, input)
  await expect(handle.result()).rejects.toMatchObject({ code: 'JOB_DEAD' })
  await worker.stop()
  await first.queue.close()

  const [second, third] = [open(), open()]
  onTestFinished(() => second.queue.close())
  onTestFinished(() => third.queue.close())
  expect(await second.hooks.disabled()).toMatchObject([{ name: 'crm', url }])
  second.queue.work()
  await expect((await third.queue.enqueue(third.hooks.task, input)).result()).rejects.toMatchObject({
    code: 'JOB_DEAD',
  })
  expect(requests).toHaveLength(1)
  expect(await third.hooks.enable('crm')).toBe(true)
  expect(await second.hooks.disabled()).toEqual([])
})
