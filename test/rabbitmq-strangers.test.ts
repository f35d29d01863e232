import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfirmChannel, GetMessage, Options } from 'amqplib'
import { connect } from 'amqplib'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { rabbitmq } from 'offload/backends/rabbitmq'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { defaultRetention } from '../src/backend.ts'
import { openRabbit } from '../src/backends/rabbitmq/index.ts'
import { systemClock } from '../src/clock.ts'
import { decode } from '../src/job/payload.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const QUEUE = 'orders'
/** Where the strangers of these tests publish. */
const EXCHANGE = 'shop'

const rabbit = await needs('rabbitmq', startRabbit)
const folder = mkdtempSync(join(tmpdir(), 'offload-rabbitmq-strangers-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What ran, by the word in its input. */
let ran: string[] = []
const input = z.object({ word: z.string() })
const ship = task('orders.ship', {
  queue: QUEUE,
  input,
  retry: { attempts: 2 },
  run: ({ word }) => void ran.push(`ship ${word}`),
})
const bill = task('orders.bill', { queue: QUEUE, input, run: ({ word }) => void ran.push(`bill ${word}`) })

let opened = 0

interface Stranger {
  readonly channel: ConfirmChannel
  /** To the queue itself, as the exchange of Offload takes it. */
  send(body: string | Buffer, properties?: Options.Publish): void
  /** To an exchange of its own. */
  publish(key: string, body: string, properties?: Options.Publish): void
  /** Everything so far is in its queue. */
  sent(): Promise<void>
  /** A dead letter in the queue of dead letters, or false. */
  deadLetter(): Promise<GetMessage | false>
  /** Waits until nothing is in the queue, nor in any worker's hands. */
  drained(): Promise<void>
}

async function scene(ledger: string): Promise<{ queue: Offload; stranger: Stranger }> {
  const prefix = `strangers-${++opened}`
  const url = `${rabbit?.url}/?prefix=${prefix}`
  const connection = await connect(rabbit?.url ?? '')
  const channel = await connection.createConfirmChannel()
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
  const queue = offload({
    url: rabbitmq(url, { routes: [{ exchange: EXCHANGE, key: 'order.placed', task: ship }] }),
    ledger,
    tasks: [ship, bill],
    logger: silentLogger,
  })
  // So that the queues are there.
  await queue.enqueue(bill, { word: 'first' })
  queue.work()
  await vi.waitFor(() => expect(ran).toEqual(['bill first']), { timeout: 10_000 })
  ran = []
  const name = `${prefix}.jobs.${QUEUE}`
  const stranger: Stranger = {
    channel,
    send: (body, properties = {}) =>
      void channel.publish(`${prefix}.jobs`, QUEUE, Buffer.from(body), { persistent: true, ...properties }),
    publish: (key, body, properties = {}) =>
      void channel.publish(EXCHANGE, key, Buffer.from(body), { persistent: true, ...properties }),
    sent: () => channel.waitForConfirms(),
    deadLetter: () => channel.get(`${prefix}.dead.${QUEUE}`, { noAck: true }),
    async drained() {
      await channel.waitForConfirms()
      await vi.waitFor(
        async () => {
          const list = (await rabbit?.ctl('list_queues', 'name', 'messages')) ?? ''
          expect(list.split('\n')).toContain(`${name}\t0`)
        },
        { timeout: 20_000, interval: 200 },
      )
    },
  }
  opening.push(async () => {
    await queue.close()
    await connection.close()
  })
  return { queue, stranger }
}

const opening: (() => Promise<void>)[] = []
beforeEach(async () => {
  for (const close of opening.splice(0)) await close()
  ran = []
})
afterAll(async () => {
  for (const close of opening.splice(0)) await close()
})

/** As a record shows it. */
function readable(payload: string): unknown {
  try {
    return decode(payload)
  } catch {
    return payload
  }
}

const worded = (word: string): string => JSON.stringify({ word })

const ledgers = [
  ['beside a ledger', () => `sqlite:${join(folder, `${++opened}.db`)}`],
  ['without a ledger', () => 'none'],
] as const

if (rabbit !== undefined) {
  describe.each(ledgers)('what other programs publish, %s', (_, ledger) => {
    test('is run by its type, by its routing key and by its route, each once', async () => {
      const { stranger } = await scene(ledger())
      await stranger.channel.bindQueue(`strangers-${opened}.jobs.${QUEUE}`, EXCHANGE, ship.name)
      stranger.send(worded('by type'), { type: ship.name, messageId: 'order-1' })
      stranger.send(worded('by type, unnamed'), { type: bill.name })
      stranger.send(worded('by type, unnamed'), { type: bill.name })
      stranger.publish(ship.name, worded('by key'))
      stranger.publish('order.placed', worded('by route'))
      stranger.publish('order.placed', worded('by route, not by type'), { type: bill.name })
      stranger.publish('order.cancelled', worded('nobody asked for'))
      await stranger.drained()
      expect(ran.toSorted()).toEqual([
        'bill by type, unnamed',
        'bill by type, unnamed',
        'ship by key',
        'ship by route',
        'ship by route, not by type',
        'ship by type',
      ])
    })

    test('is held back as long as it says', async () => {
      const { stranger } = await scene(ledger())
      const runAt = Date.now() + 1000
      stranger.send(worded('later'), { type: bill.name, headers: { 'offload-run-at': runAt } })
      stranger.send(worded('now'), { type: bill.name })
      await vi.waitFor(() => expect(ran).toContain('bill now'), { timeout: 10_000 })
      await vi.waitFor(() => expect(ran).toContain('bill later'), { timeout: 10_000 })
      expect(Date.now()).toBeGreaterThanOrEqual(runAt - 20)
      expect(ran).toEqual(['bill now', 'bill later'])
    })

    test('may have headers and properties of any type', async () => {
      const { stranger } = await scene(ledger())
      const odd = [
        { priority: 255 },
        { expiration: '60000', userId: 'guest', replyTo: 'x', contentEncoding: 'gzip' },
        { timestamp: 2 ** 52 },
        { contentType: 'text/html' },
        { messageId: '../../etc/passwd' },
        { messageId: '\u0000' },
        { headers: { 'offload-max-attempts': 'many', 'offload-run-at': 'soon', 'offload-key': 7 } },
        { headers: { 'offload-deadline': { '!': 'timestamp', value: 1 }, 'offload-tenant': [1, 2] } },
        { headers: { 'x-delivery-count': 'often', traceparent: null, 'offload-trace-x': true } },
        { headers: JSON.parse('{"__proto__":{"offload-attempts":99},"constructor":"x"}') },
        { headers: { 'offload-created-at': 2 ** 53 - 1, 'offload-run-at': 2 ** 53 - 1 } },
        { headers: Object.fromEntries(Array.from({ length: 500 }, (_, nth) => [`h${nth}`, 'x'.repeat(50)])) },
      ]
      for (const [nth, properties] of odd.entries())
        stranger.send(worded(`odd ${nth}`), { type: bill.name, ...properties })
      await stranger.drained()
      expect(ran.toSorted()).toEqual(odd.map((_, nth) => `bill odd ${nth}`).toSorted())
    })

    test('and is dead on arrival by what it asks for does not hold up the others', async () => {
      const { stranger } = await scene(ledger())
      stranger.send(worded('too late'), { type: bill.name, headers: { 'offload-deadline': 1 } })
      stranger.send(worded('good'), { type: bill.name })
      await stranger.drained()
      expect(ran).toEqual(['bill good'])
    })

    test('as a pack that cannot be read does not hold up the others', async () => {
      const { stranger } = await scene(ledger())
      const contentType = 'application/vnd.offload.pack+x-ndjson'
      for (const body of [
        '',
        '\n',
        '{"id":"a"',
        '{"id":"b","task":"orders.bill"}',
        '\n'.repeat(10_000),
        Buffer.from([255]),
      ])
        stranger.send(body, { contentType })
      stranger.send(`{"id":"whole","task":"orders.bill"}\n${worded('in a pack')}`, { contentType })
      stranger.send(worded('good'), { type: bill.name })
      await stranger.drained()
      expect(ran.toSorted()).toEqual(['bill good', 'bill in a pack'])
    })
  })

  const poison = [
    ['broken JSON', '{"word":', { type: ship.name }, 'PAYLOAD_UNDECODABLE'],
    ['no body', '', { type: ship.name }, 'PAYLOAD_UNDECODABLE'],
    ['a prototype', '{"word":"x","__proto__":{}}', { type: ship.name }, 'PAYLOAD_UNDECODABLE'],
    ['bytes that are no text', Buffer.from([0xff, 0x00, 0xfe]), { type: ship.name }, 'PAYLOAD_UNDECODABLE'],
    [
      'bytes whose base64 is JSON',
      Buffer.from([0xd7, 0x6d, 0xf8]),
      { type: ship.name },
      'PAYLOAD_UNDECODABLE',
    ],
    ['an unknown task', worded('x'), { type: 'orders.unknown' }, 'TASK_UNKNOWN'],
    ['the name of what every object has', worded('x'), { type: 'constructor' }, 'TASK_UNKNOWN'],
    ['an input that does not fit', '{"word":7}', { type: ship.name }, 'INPUT_INVALID'],
  ] as const

  describe('a message that cannot be run', () => {
    test.each(poison)(
      'is dead with its raw text and the reason beside a ledger: %s',
      async (_, body, properties, code) => {
        const { queue, stranger } = await scene(`sqlite:${join(folder, `${++opened}.db`)}`)
        stranger.send(body, { ...properties, messageId: 'poison' })
        stranger.send(worded('after it'), { type: bill.name })
        await stranger.drained()
        await vi.waitFor(async () => expect((await queue.get('poison'))?.state).toBe('dead'), {
          timeout: 10_000,
        })
        const { jobs } = await queue.find({ state: 'dead' })
        const raw = Buffer.isBuffer(body) ? `base64:${body.toString('base64')}` : readable(body)
        expect(jobs).toMatchObject([{ id: 'poison', payload: raw, attempt: 1, faults: [{ code }] }])
        await vi.waitFor(() => expect(ran).toEqual(['bill after it']))
      },
    )

    test.each(poison)(
      'is dead with its raw bytes and the reason without one: %s',
      async (_, body, properties, code) => {
        const { stranger } = await scene('none')
        stranger.send(body, { ...properties, messageId: 'poison' })
        stranger.send(worded('after it'), { type: bill.name })
        await stranger.drained()
        const letter = await vi.waitUntil(() => stranger.deadLetter(), { timeout: 10_000 })
        expect(letter.content).toEqual(Buffer.from(body))
        expect(letter.properties).toMatchObject({
          messageId: 'poison',
          type: properties.type,
          headers: { 'offload-fault-code': code, 'offload-fault-attempt': 1 },
        })
        expect(await stranger.deadLetter()).toBe(false)
        await vi.waitFor(() => expect(ran).toEqual(['bill after it']))
      },
    )
  })

  describe('the same message id twice', () => {
    test('is one job where a ledger remembers it', async () => {
      const { queue, stranger } = await scene(`sqlite:${join(folder, `${++opened}.db`)}`)
      for (const word of ['once', 'twice'])
        stranger.send(worded(word), { type: bill.name, messageId: 'order-1' })
      await stranger.drained()
      await vi.waitFor(async () => expect((await queue.get('order-1'))?.state).toBe('done'))
      stranger.send(worded('thrice'), { type: bill.name, messageId: 'order-1' })
      stranger.send(worded('another'), { type: bill.name, messageId: 'order-2' })
      await stranger.drained()
      await vi.waitFor(() => expect(ran).toEqual(['bill once', 'bill another']))
    })

    test('is two jobs where nothing remembers it', async () => {
      const { stranger } = await scene('none')
      for (const word of ['once', 'twice'])
        stranger.send(worded(word), { type: bill.name, messageId: 'order-1' })
      await stranger.drained()
      await vi.waitFor(() => expect(ran).toEqual(['bill once', 'bill twice']))
    })
  })

  test('a message that pretends to be in the ledger is dropped, and the queue goes on', async () => {
    const { queue, stranger } = await scene(`sqlite:${join(folder, `${++opened}.db`)}`)
    stranger.send(worded('pretended'), { type: bill.name, messageId: 'pretended', appId: 'offload/ledger' })
    stranger.send(worded('good'), { type: bill.name })
    await queue.enqueue(bill, { word: 'our own' })
    await stranger.drained()
    await vi.waitFor(() => expect(ran.toSorted()).toEqual(['bill good', 'bill our own']))
    expect(await queue.get('pretended')).toBeUndefined()
  })

  test.each([
    ['text', Buffer.from(worded('back'))],
    ['bytes', Buffer.from([0xff, 0x00])],
  ])("a stranger's message that is given back is a stranger's still, and the same: %s", async (_, body) => {
    const prefix = `strangers-${++opened}`
    const options = { clock: systemClock, logger: silentLogger, retention: defaultRetention, timeoutMs: 5000 }
    const { broker } = await openRabbit(`127.0.0.1:${rabbit.port}?prefix=${prefix}`, false, options)
    const { signal } = new AbortController()
    const take = () => broker.claim(QUEUE, { limit: 1, leaseMs: 30_000, worker: 'w', signal })
    await broker.depth(QUEUE)
    const connection = await connect(rabbit.url)
    const channel = await connection.createConfirmChannel()
    channel.publish(`${prefix}.jobs`, QUEUE, body, { messageId: 'order-1', type: ship.name })
    await channel.waitForConfirms()
    const [first] = await take()
    if (first === undefined) throw new Error('nothing came')
    expect(first.foreign).toBe(true)
    expect(await broker.settle([{ claim: first, type: 'release' }])).toEqual([true])
    const [second] = await take()
    expect(second).toMatchObject({ foreign: true, job: { ...first.job, createdAt: expect.any(Number) } })
    expect(second?.malformed).toBe(first.malformed)
    await broker.close()
    await connection.close()
  })
}
