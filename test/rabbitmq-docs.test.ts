import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'amqplib'
import type { Offload, Worker } from 'offload'
import { offload, task } from 'offload'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { redrive } from '../examples/rabbitmq/redrive.ts'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { until } from '../scripts/servers/until.ts'
import type { RabbitOptions } from '../src/backends/rabbitmq/index.ts'
import { rabbitmq } from '../src/backends/rabbitmq/index.ts'
import { locate } from '../src/backends/rabbitmq/location.ts'
import { contentOf, deathOf } from '../src/backends/rabbitmq/message.ts'
import type { QueueShape } from '../src/backends/rabbitmq/names.ts'
import { namesOf, rungOf } from '../src/backends/rabbitmq/names.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const page = readFileSync(join(import.meta.dirname, '../docs/backends/rabbitmq.md'), 'utf8')
const names = namesOf('offload')

/** What a page of definitions has of each kind. */
interface Definitions {
  readonly exchanges?: readonly { readonly name: string }[]
  readonly queues: readonly QueueShape[]
  readonly bindings?: readonly { readonly source: string }[]
}

const [work, rung] = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text) as [
  string,
  string,
]
const definitions = (text: string): Definitions => JSON.parse(text)

/** All that the page says of the ladder, in milliseconds. */
const ladder = (/this for each of ([\d,\sand]+) in the place of 125/.exec(page)?.[1] ?? '')
  .split(/,|and/)
  .map(Number)

/** The rows of the table under a heading that has a column with this name: the first cell, and the second. */
function rows(heading: string): (readonly [string, string])[] {
  const at = page.indexOf(heading)
  if (at === -1) throw new Error(`no "${heading}" on the page`)
  const [table = ''] = page.slice(at + heading.length).split(/\n\n/)
  return [...table.matchAll(/^\| (.*?) \| (.*?) \|/gm)].map(([, first = '', second = '']) => [first, second])
}

/** What stands in backticks. */
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)

describe('what the page says of RabbitMQ', () => {
  test('options of the URL are all there are, with their defaults', () => {
    const options = rows('\n| option | default | |\n|---|---|---|').map(([name, value]) => [
      ...quoted(name),
      ...quoted(value),
    ])
    const known = options.map(([name]) => name).join(', ')
    expect(() => locate('localhost?nothing=1', false)).toThrow(`there are ${known}`)
    const defaults = options.map((option) => option.join('=')).join('&')
    expect(locate(`localhost?${defaults}`, false)).toEqual(locate('localhost', false))
  })

  test('the table of queues has the arguments that they are declared with', () => {
    const said = rows('\n| queue | arguments |\n|---|---|').map(([name, shape]) => [
      quoted(name)[0],
      Object.fromEntries(quoted(shape).map((argument) => argument.split(': '))),
    ])
    const declared = [names.work('{queue}'), names.deadLetters('{queue}'), names.delay('{queue}', 125)].map(
      (shape) => [
        shape.name.replace('125', '{ms}'),
        Object.fromEntries(
          Object.entries(shape.arguments).map(([name, value]) => [name, value === 125 ? '{ms}' : value]),
        ),
      ],
    )
    expect(said).toEqual(declared)
  })

  test('definitions are what Offload itself would declare', () => {
    const { exchanges, queues, bindings } = definitions(work)
    expect(exchanges?.map(({ name }) => name)).toEqual([names.jobs, names.dead])
    expect(queues).toMatchObject([names.work('default'), names.deadLetters('default')])
    expect(bindings).toMatchObject([
      { source: names.jobs, destination: names.work('default').name, routing_key: 'default' },
      { source: names.dead, destination: names.deadLetters('default').name, routing_key: 'default' },
    ])
    expect(definitions(rung).queues).toEqual([expect.objectContaining(names.delay('default', 125))])
  })

  test('the ladder has every rung that there is', () => {
    const rungs = new Set(Array.from({ length: 400 }, (_, step) => rungOf(2 ** (step / 10))))
    expect(ladder).toEqual([...rungs].sort((a, b) => a - b))
  })

  test('properties and headers are those of a job with everything, and of its end', () => {
    const content = contentOf(
      {
        id: 'one',
        task: 'order',
        queue: 'default',
        payload: '{}',
        priority: 4,
        createdAt: 1,
        maxAttempts: 5,
        runAt: 2,
        deadline: 3,
        key: 'k',
        tenant: 't',
        trace: { traceparent: 'p', tracestate: 's', baggage: 'b', other: 'o' },
      },
      1,
      'offload',
    )
    const end = deathOf({ code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 4 })
    const { headers, mandatory: _, persistent, ...properties } = content.properties
    const sent = { ...properties, deliveryMode: persistent, expiration: 'of dead letters' }
    const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    expect(
      rows('\n| property | |\n|---|---|')
        .flatMap(([name]) => quoted(name))
        .sort(),
    ).toEqual(Object.keys(sent).map(snake).sort())
    expect(
      rows('\n| header | |\n|---|---|')
        .flatMap(([name]) => quoted(name))
        .sort(),
    ).toEqual(
      [...new Set([...Object.keys({ ...headers, ...end })])]
        .map((name) => (name === 'offload-trace-other' ? 'offload-trace-*' : name))
        .sort(),
    )
  })
})

const ran: string[] = []
const ill = new Set<string>()
const greet = task('greet', {
  input: z.object({ name: z.string() }),
  retry: { attempts: 5, base: '1ms' },
  run({ name }, { attempt }) {
    ran.push(`${name} ${attempt}`)
    if (ill.has(name)) throw new Error('ill')
  },
})

const rabbit = await needs('rabbitmq', startRabbit)

/** A queue with a worker, until the test has ended. */
function opened(
  url: string,
  ledger: string,
  options?: RabbitOptions,
): { readonly queue: Offload; readonly worker: Worker } {
  const queue = offload({ url: rabbitmq(url, options), ledger, logger: silentLogger, tasks: [greet] })
  const worker = queue.work()
  onTestFinished(() => queue.close())
  return { queue, worker }
}

const hasRun = (what: string): Promise<void> => until(`${what} to run`, async () => ran.includes(what))

describe.skipIf(rabbit === undefined)('what the page tells operations to do', () => {
  const url = rabbit?.url ?? ''
  const ctl = async (...words: readonly string[]): Promise<string> => (await rabbit?.ctl(...words)) ?? ''
  const of = (vhost: string): string => `${url.replace('guest:guest', 'app:secret')}/${vhost}`
  const [makes, routed, beside, alone, enqueues] = [
    ...page.matchAll(/^rabbitmqctl set_permissions app ('.*') ('.*') ('.*')$/gm),
  ].map(([, ...patterns]) => patterns.map((pattern) => pattern.slice(1, -1)))

  beforeAll(async () => {
    await ctl('add_user', 'app', 'secret')
  })

  const allow = (vhost: string, patterns: readonly string[] = []): Promise<string> =>
    ctl('set_permissions', '-p', vhost, 'app', ...patterns)

  async function made(vhost: string): Promise<void> {
    await ctl('add_vhost', vhost)
    await ctl('set_permissions', '-p', vhost, 'guest', '.*', '.*', '.*')
  }

  /** Imports everything that the page has to be imported. */
  async function owned(vhost: string): Promise<void> {
    await made(vhost)
    const all = [definitions(work), ...ladder.map((ms) => definitions(rung.replaceAll('125', String(ms))))]
    const each = (kind: keyof Definitions): object[] =>
      all.flatMap((one) => (one[kind] ?? []).map((known) => ({ ...known, vhost })))
    const whole = { exchanges: each('exchanges'), queues: each('queues'), bindings: each('bindings') }
    const file = join(rabbit?.folder ?? '', `${vhost}.json`)
    writeFileSync(file, JSON.stringify(whole))
    await ctl('import_definitions', file)
    await until('what was imported', async () => {
      const there = await ctl('list_bindings', '-p', vhost, 'source_name')
      return there.split('\n').filter((source) => source.startsWith('offload.')).length === 2 + ladder.length
    })
  }

  test('whoever makes what is missing needs rights on names with the prefix alone', async () => {
    await made('makes')
    for (const ledger of ['memory:', 'none']) {
      await allow('makes', makes)
      const { queue } = opened(of('makes'), ledger)
      await queue.enqueue(greet, { name: ledger }, { delay: 300 })
      await hasRun(`${ledger} 1`)
    }
  })

  test('a route needs the right to read from its exchange', async () => {
    await made('routed')
    const connection = await connect(`${url}/routed`)
    onTestFinished(() => connection.close())
    const channel = await connection.createConfirmChannel()
    await channel.assertExchange('shop', 'topic')
    await allow('routed', makes)
    const routes = [{ exchange: 'shop', key: 'guest.came', task: greet }]
    const { worker } = opened(of('routed'), 'memory:', { routes })
    await until('a refusal', async () => worker.health().reason?.includes("exchange 'shop'") === true)
    await allow('routed', routed)
    await until('a binding', async () => (await ctl('list_bindings', '-p', 'routed')).includes('shop'))
    channel.publish('shop', 'guest.came', Buffer.from('{"name":"routed"}'))
    await hasRun('routed 1')
  })

  test('where operations own the queues, rights to publish and to read do', async () => {
    await owned('owned')
    const before = await ctl('list_queues', '-p', 'owned', 'name')
    await allow('owned', enqueues)
    const { queue, worker } = opened(`${of('owned')}?declare=false`, 'none')
    await queue.enqueue(greet, { name: 'owned' })
    await until('a refusal', async () => worker.health().reason?.includes('ACCESS_REFUSED') === true)
    await allow('owned', alone)
    await hasRun('owned 1')
    ill.add('alone')
    await queue.enqueue(greet, { name: 'alone' }, { delay: 300 })
    await until('a dead letter', async () => (await queue.depth('default')).dead === 1)
    await worker.stop()
    await allow('owned', beside)
    const pair = opened(`${of('owned')}?declare=false`, 'memory:')
    await pair.queue.enqueue(greet, { name: 'beside' }, { delay: 300 })
    await hasRun('beside 1')
    expect(await ctl('list_queues', '-p', 'owned', 'name')).toBe(before)
  })

  test('dead letters without a ledger have their attempts before them again when they are put back', async () => {
    const { queue, worker } = opened(url, 'none')
    ill.add('dead')
    await queue.enqueue(greet, { name: 'dead' })
    await until('a dead letter', async () => (await queue.depth('default')).dead === 1)
    const runs = ran.length
    ill.delete('dead')
    expect(await redrive(url, 'default')).toBe(1)
    await until('another run', async () => ran.length > runs)
    expect(ran.at(-1)).toMatch(/^dead [1-4]$/)
    expect(await queue.depth('default')).toMatchObject({ ready: 0, dead: 0 })
    await worker.stop()
  })
})
