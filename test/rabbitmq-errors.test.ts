import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from 'amqplib'
import type { Duration, Logger, Offload, OffloadOptions } from 'offload'
import { endedJob, offload, task } from 'offload'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { RabbitServer } from '../scripts/servers/rabbit-server.ts'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { silentLogger } from '../src/log.ts'
import { needs, own } from './servers.ts'

const PASSWORD = 'sesame-open'
/** The longest message of the servers here: more would take long to make. */
const LONGEST = 100_000

const ran: string[] = []
const job = task('errors.job', {
  input: z.string(),
  run: (name) => {
    ran.push(name)
  },
})

const rabbit = await needs('rabbitmq', () =>
  startRabbit({ tls: true, config: [`max_message_size = ${LONGEST}`] }),
)
const folder = mkdtempSync(join(tmpdir(), 'offload-rabbitmq-errors-'))
afterAll(() => rmSync(folder, { recursive: true }))

let names = 0
/** A user, prefix, vhost or file that no other test has. */
const fresh = (what: string): string => `${what}-${++names}`

const beside = (): string => `sqlite:${join(folder, fresh('jobs'))}.db`

type More = Partial<OffloadOptions>

const open = (url: string, more: More = {}): Offload =>
  offload({
    url,
    tasks: [job],
    ledger: 'none',
    logger: silentLogger,
    limits: { timeout: '2s' },
    ...more,
  })

/** What a call is refused with: its code and its message, which shows no password. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('it was not refused'),
    (error: Error & { code?: string }) => error,
  )
  expect(error.message).not.toContain(PASSWORD)
  return `${'code' in error ? error.code : ''}: ${error.message}`
}

async function refused(url: string, more?: More): Promise<string> {
  await using queue = open(url, more)
  return refusalOf(queue.ready())
}

/** A worker that cannot begin says why, and begins by itself once the cause is gone. */
async function recovers(
  url: string,
  why: RegExp,
  mend: () => Promise<unknown>,
  more: More = {},
): Promise<void> {
  await using queue = open(url, more)
  const worker = queue.work()
  await vi.waitFor(() => expect(worker.health()).toMatchObject({ state: 'degraded' }), { timeout: 10_000 })
  expect(worker.health().reason).toMatch(why)
  expect(worker.health().reason).not.toContain(PASSWORD)
  await mend()
  const name = fresh('job')
  await vi.waitFor(() => queue.enqueue(job, name, { id: name }), { timeout: 10_000 })
  await vi.waitFor(() => expect(ran).toContain(name), { timeout: 20_000 })
  await vi.waitFor(() => expect(worker.health().state).toBe('running'), { timeout: 10_000 })
}

/** A user of the default vhost with these patterns of names that it may configure, write and read. */
async function userOf(server: RabbitServer, ...rights: readonly string[]): Promise<string> {
  const user = fresh('user')
  await server.ctl('add_user', user, PASSWORD)
  if (rights.length > 0) await server.ctl('set_permissions', user, ...rights)
  return user
}

const urlOf = (user: string, { port }: RabbitServer, path = ''): string =>
  `amqp://${user}:${PASSWORD}@127.0.0.1:${port}/${path}`

if (rabbit !== undefined) {
  const prefixed = (): string => `${rabbit.url}/?prefix=${fresh('errors')}`

  describe('who may not', () => {
    test('is told of a wrong password and of an unknown user, and a worker begins when it is right', async () => {
      const user = await userOf(rabbit, '.*', '.*', '.*')
      await rabbit.ctl('change_password', user, 'another')
      const said = /^BACKEND_UNAVAILABLE: .*check the user and password in the url/
      expect(await refused(urlOf(user, rabbit))).toMatch(said)
      expect(await refused(urlOf('nobody', rabbit))).toMatch(said)
      await recovers(urlOf(user, rabbit), /user and password/, () =>
        rabbit.ctl('change_password', user, PASSWORD),
      )
    })

    test('is told of a vhost that is not there, and a worker begins when it is made', async () => {
      const vhost = fresh('vhost')
      const user = await userOf(rabbit)
      const url = urlOf(user, rabbit, vhost)
      expect(await refused(url)).toMatch(/^BACKEND_UNAVAILABLE: .*check the vhost/)
      await recovers(url, /check the vhost/, async () => {
        await rabbit.ctl('add_vhost', vhost)
        await rabbit.ctl('set_permissions', '-p', vhost, user, '.*', '.*', '.*')
      })
    })

    test('is told of a vhost that is not its own, and a worker begins when it is allowed there', async () => {
      const user = await userOf(rabbit)
      expect(await refused(urlOf(user, rabbit))).toMatch(
        /^BACKEND_UNAVAILABLE: .*check the vhost.*rabbitmqctl set_permissions/,
      )
      await recovers(urlOf(user, rabbit), /check the vhost/, () =>
        rabbit.ctl('set_permissions', user, '.*', '.*', '.*'),
      )
    })

    const lacking = [
      ['configure', ['^$', '.*', '.*']],
      ['write', ['.*', '^$', '.*']],
      ['read', ['.*', '.*', '^$']],
      ['any name but those of another prefix', ['^other', '^other', '^other']],
    ] as const

    test.each(lacking)('%s is told so when it enqueues, and accepted when it may', async (_, rights) => {
      const user = await userOf(rabbit, ...rights)
      await using queue = open(urlOf(user, rabbit, `?prefix=${fresh('enqueue')}`))
      await queue.ready()
      expect(await refusalOf(queue.enqueue(job, 'not accepted'))).toMatch(
        /^BACKEND_UNAVAILABLE: .*lacks a permission: configure, write and read/,
      )
      await rabbit.ctl('set_permissions', user, '.*', '.*', '.*')
      await queue.enqueue(job, 'accepted')
    })

    test.each(lacking)('%s is told so as a worker, which begins when it may', async (_, rights) => {
      const user = await userOf(rabbit, ...rights)
      const mend = (): Promise<string> => rabbit.ctl('set_permissions', user, '.*', '.*', '.*')
      await recovers(urlOf(user, rabbit, `?prefix=${fresh('work')}`), /lacks a permission/, mend)
    })

    test.each(lacking)('%s beside a ledger loses no job: a worker begins when it may', async (_, rights) => {
      const user = await userOf(rabbit, ...rights)
      const more = { ledger: beside() }
      await using early = open(urlOf(user, rabbit, '?prefix=ledger'), more)
      await recovers(
        urlOf(user, rabbit, `?prefix=${fresh('ledger')}`),
        /lacks a permission/,
        () => rabbit.ctl('set_permissions', user, '.*', '.*', '.*'),
        more,
      )
      expect(await early.find({ state: 'queued' })).toMatchObject({ jobs: [] })
    })

    test.each([
      ['write', ['.*', '^$', '.*']],
      ['read', ['.*', '.*', '^$']],
    ])('%s where the queues are there already is told so too', async (_, rights) => {
      const prefix = fresh('there')
      await using all = open(`${rabbit.url}/?prefix=${prefix}`)
      await all.enqueue(job, 'before')
      const user = await userOf(rabbit, ...rights)
      await recovers(urlOf(user, rabbit, `?prefix=${prefix}`), /lacks a permission/, () =>
        rabbit.ctl('set_permissions', user, '.*', '.*', '.*'),
      )
    })

    test('needs rights on the names of its prefix alone', async () => {
      const prefix = fresh('own')
      const mine = `^${prefix}\\.`
      const user = await userOf(rabbit, mine, mine, mine)
      await using queue = open(urlOf(user, rabbit, `?prefix=${prefix}`))
      queue.work()
      await queue.enqueue(job, 'at once')
      await queue.enqueue(job, 'later', { delay: 300 })
      await vi.waitFor(() => expect(ran).toEqual(expect.arrayContaining(['at once', 'later'])), {
        timeout: 10_000,
      })
    })
  })

  describe('where no usable server is', () => {
    test('a port that nobody listens on is named, and a worker begins when the server does', async () => {
      const server = await own('rabbitmq', startRabbit)
      await server.kill()
      expect(await refused(server.url)).toMatch(
        /^BACKEND_UNAVAILABLE: .*ECONNREFUSED.*check that the server runs, and its port/,
      )
      await recovers(server.url, /ECONNREFUSED/, () => server.restart())
    }, 90_000)

    test('an unknown host is named', async () => {
      expect(await refused(`amqp://user:${PASSWORD}@no-such-host.invalid`)).toMatch(
        /^BACKEND_UNAVAILABLE: .*check the host in the url/,
      )
    })

    test('TLS to a plain port, plain to a TLS port and a certificate that is not trusted are told apart from a dead server', async () => {
      if (rabbit.tls === undefined) throw new Error('no TLS')
      expect(await refused(`amqps://user:${PASSWORD}@127.0.0.1:${rabbit.port}`)).toMatch(
        /^BACKEND_UNAVAILABLE: .*amqps:/,
      )
      expect(await refused(`amqp://user:${PASSWORD}@127.0.0.1:${rabbit.tls.port}`)).toMatch(
        /^BACKEND_UNAVAILABLE: .*amqps: for one with TLS/,
      )
      expect(await refused(rabbit.tls.url)).toMatch(
        /^BACKEND_UNAVAILABLE: .*certificate.*NODE_EXTRA_CA_CERTS/,
      )
    })

    test('a server of another kind is not waited for longer than the timeout', async () => {
      const web = createServer((_, response) => void response.end()).listen(0, '127.0.0.1')
      await once(web, 'listening')
      const { port } = web.address() as AddressInfo
      expect(await refused(`amqp://user:${PASSWORD}@127.0.0.1:${port}`)).toMatch(
        /^BACKEND_UNAVAILABLE: .*check that RabbitMQ is at the host and port of the url/,
      )
      web.closeAllConnections()
      web.close()
    })

    test('one of several that does not answer is passed over', async () => {
      await using queue = open(`amqp://127.0.0.1:1,127.0.0.1:${rabbit.port}/?prefix=${fresh('several')}`)
      queue.work()
      await queue.enqueue(job, 'by the second')
      await vi.waitFor(() => expect(ran).toContain('by the second'), { timeout: 10_000 })
    })
  })

  describe('what is in the server', () => {
    /** What operations or somebody else did before. */
    async function prepared(
      how: (channel: Awaited<ReturnType<typeof channelOf>>) => Promise<unknown>,
    ): Promise<void> {
      const connection = await connect(rabbit?.url ?? '')
      await how(await connection.createChannel())
      await connection.close()
    }
    const channelOf = async () => (await connect(rabbit?.url ?? '')).createChannel()

    test.each([
      ['jobs', 'queue'],
      ['dead', 'queue of dead letters'],
    ])('a classic queue in the place of the %s is refused: theirs and ours are told', async (kind) => {
      const prefix = fresh('classic')
      const name = `${prefix}.${kind}.default`
      await prepared((channel) => channel.assertQueue(name, { durable: true }))
      await using queue = open(`${rabbit.url}/?prefix=${prefix}`)
      const said = await refusalOf(queue.enqueue(job, 'not accepted'))
      expect(said).toContain(`BACKEND_CORRUPT: rabbitmq: queue "${name}" is there with other arguments`)
      expect(said).toMatch(/The server has x-[a-z-]+ = (none|classic), not \S+\./)
      expect(said).toMatch(/Offload needs durable = true, x-queue-type = quorum/)
      await recovers(`${rabbit.url}/?prefix=${prefix}`, /x-queue-type/, () =>
        prepared((channel) => channel.deleteQueue(name)),
      )
    })

    test('a quorum queue without our arguments is refused by the first that differs', async () => {
      const prefix = fresh('quorum')
      const name = `${prefix}.jobs.default`
      await prepared((channel) =>
        channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum' } }),
      )
      await using queue = open(`${rabbit.url}/?prefix=${prefix}`)
      const said = await refusalOf(queue.enqueue(job, 'not accepted'))
      expect(said).toMatch(/^BACKEND_CORRUPT: .*The server has (x-[a-z-]+) = .*none.*, not /)
    })

    const wrong = [
      ['is there with other arguments', /BACKEND_CORRUPT.*other.*is there with other arguments/, ''],
      [
        'is missing with declare=false',
        /BACKEND_UNAVAILABLE.*is missing and declare=false/,
        '&declare=false',
      ],
    ] as const
    const other = task('errors.other', { queue: 'other', input: z.string(), run: () => {} })

    /** A server on which the queue `other` is not as it has to be, and that of {@link job} is. */
    async function withWrongQueue(option: string): Promise<string> {
      const prefix = fresh('wrong')
      await using owner = open(`${rabbit?.url}/?prefix=${prefix}`)
      await owner.enqueue(job, 'makes the queues')
      if (option === '')
        await prepared((channel) => channel.assertQueue(`${prefix}.jobs.other`, { durable: true }))
      return `${rabbit?.url}/?prefix=${prefix}${option}`
    }

    test.each(wrong)('beside a ledger a queue that %s holds up no other', async (_, why, option) => {
      const warned: string[] = []
      const logger = { ...silentLogger, warn: (fields: object) => void warned.push(JSON.stringify(fields)) }
      const url = await withWrongQueue(option)
      await using queue = open(url, { tasks: [job, other], ledger: beside(), logger })
      queue.work({ queues: ['default'] })
      await queue.enqueue(other, 'waits')
      await vi.waitFor(() => expect(warned.join()).toMatch(why), { timeout: 10_000 })
      for (let nth = 0; nth < 3; nth++) {
        await queue.enqueue(other, 'waits')
        const name = fresh('flows')
        await queue.enqueue(job, name)
        await vi.waitFor(() => expect(ran).toContain(name), { timeout: 10_000 })
      }
      expect((await queue.depth('other')).ready).toBe(4)
    })

    test.each(wrong)('alone a queue that %s fails its own calls, and no others', async (_, why, option) => {
      await using queue = open(await withWrongQueue(option), { tasks: [job, other] })
      const over = new AbortController()
      const failing = [1, 2, 3].map(async () => {
        while (!over.signal.aborted)
          expect(await refusalOf(queue.enqueue(other, 'not accepted'))).toMatch(why)
      })
      const names = Array.from({ length: 50 }, () => fresh('flows'))
      const said = new Set<string>()
      for (const [nth, name] of names.entries()) {
        // Sometimes with the others, sometimes while they are out.
        await wait(nth % 5)
        said.add(await refusalOf(queue.enqueue(job, name)))
      }
      over.abort()
      await Promise.all(failing)
      expect([...said]).toEqual([': it was not refused'])
      queue.work({ queues: ['default'] })
      await vi.waitFor(() => expect(ran).toEqual(expect.arrayContaining(names)), { timeout: 10_000 })
    })

    test('alone a queue that goes fails its own calls, and what was made with them runs once', async () => {
      const prefix = fresh('gone')
      await using owner = open(`${rabbit.url}/?prefix=${prefix}`, { tasks: [job, other] })
      await Promise.all([owner.enqueue(job, 'makes the queues'), owner.enqueue(other, 'makes the queues')])
      await using queue = open(`${rabbit.url}/?prefix=${prefix}&declare=false`, { tasks: [job, other] })
      await Promise.all([queue.enqueue(job, 'sees them'), queue.enqueue(other, 'sees them')])
      await prepared((channel) => channel.deleteQueue(`${prefix}.jobs.other`))
      const name = fresh('once')
      const said = await Promise.all([
        refusalOf(queue.enqueue(job, name)),
        refusalOf(queue.enqueue(other, 'not accepted')),
      ])
      expect(said[0]).toBe(': it was not refused')
      expect(said[1]).toMatch(/^BACKEND_UNAVAILABLE: .*is missing and declare=false/)
      queue.work({ queues: ['default'] })
      const last = fresh('last')
      await queue.enqueue(job, last)
      await vi.waitFor(() => expect(ran).toContain(last), { timeout: 10_000 })
      expect(ran.filter((one) => one === name)).toHaveLength(1)
    })

    test('alone retries that find a wrong queue hold up no retries of another, which run once', async () => {
      const prefix = fresh('retries')
      const attempts = new Map<string, number>()
      const together = Promise.withResolvers<void>()
      let begun = 0
      const failing = (queue: string, after: Duration) =>
        task(`errors.retries.${queue}`, {
          queue,
          input: z.string(),
          retry: { attempts: 2, on: () => ({ after }) },
          async run(name, { attempt }) {
            attempts.set(name, (attempts.get(name) ?? 0) + 1)
            if (attempt > 1) return
            // They end together.
            if (++begun === 20) together.resolve()
            await together.promise
            throw new Error('it is tried again')
          },
        })
      const [soon, later] = [failing('soon', '300ms'), failing('later', '1h')]
      const wrong = `${prefix}.delay.later.2048000`
      await prepared((channel) => channel.assertQueue(wrong, { durable: true }))
      await using queue = open(`${rabbit.url}/?prefix=${prefix}`, { tasks: [soon, later] })
      const names = Array.from({ length: 10 }, () => fresh('soon'))
      await Promise.all(names.flatMap((name) => [queue.enqueue(soon, name), queue.enqueue(later, name)]))
      queue.work({ concurrency: 20 })
      const runs = (times: number): [string, number][] => names.map((name) => [name, times])
      await vi.waitFor(() => expect([...attempts]).toEqual(expect.arrayContaining(runs(3))), {
        timeout: 10_000,
      })
      await prepared((channel) => channel.deleteQueue(wrong))
      await vi.waitFor(
        async () => expect(await rabbit.ctl('list_queues', 'name', 'messages')).toContain(`${wrong}\t10`),
        { timeout: 20_000, interval: 500 },
      )
      expect([...attempts]).toEqual(expect.arrayContaining(runs(3)))
    })

    test('a queue at a max-length of a policy refuses and says whose limit it is; beside a ledger its jobs wait for room', async () => {
      const prefix = fresh('policy')
      const url = `${rabbit.url}/?prefix=${prefix}`
      const ours = `^${prefix}\\.jobs\\.`
      await rabbit.ctl('set_policy', prefix, ours, '{"max-length": 2}', '--apply-to', 'queues')
      await using alone = open(url)
      const refusal = (): Promise<string> => refusalOf(alone.enqueue(job, fresh('alone')))
      await vi.waitFor(
        async () => expect(await refusal()).toMatch(/^QUEUE_FULL: .*refused by its server.*max-length/),
        { timeout: 10_000 },
      )
      await using remembered = open(url, { ledger: beside() })
      const names = Array.from({ length: 4 }, () => fresh('remembered'))
      for (const name of names) await remembered.enqueue(job, name)
      remembered.work()
      await vi.waitFor(() => expect(ran).toEqual(expect.arrayContaining(names)), { timeout: 30_000 })
    }, 60_000)

    test('with declare=false what is missing is named as it has to be made, and nothing is made', async () => {
      const prefix = fresh('undeclared')
      const url = `${rabbit.url}/?prefix=${prefix}&declare=false`
      await using queue = open(url)
      expect(await refusalOf(queue.enqueue(job, 'not accepted'))).toMatch(
        /^BACKEND_UNAVAILABLE: .*queue "undeclared-\d+\.dead\.default" is missing and declare=false.*x-queue-type = quorum/,
      )
      expect(await rabbit.ctl('list_queues', 'name')).not.toContain(prefix)
      expect(await rabbit.ctl('list_exchanges', 'name')).not.toContain(prefix)
      await recovers(url, /declare=false/, async () => {
        await using owner = open(`${rabbit.url}/?prefix=${prefix}`)
        await owner.enqueue(job, 'makes the queues')
      })
    })

    test('with declare=false a user needs no right to configure', async () => {
      const prefix = fresh('declared')
      await using owner = open(`${rabbit.url}/?prefix=${prefix}`)
      await owner.enqueue(job, 'makes the queues')
      await owner.enqueue(job, 'makes a delay', { delay: 150 })
      const user = await userOf(rabbit, '^$', `^${prefix}\\.`, `^${prefix}\\.`)
      await using queue = open(urlOf(user, rabbit, `?prefix=${prefix}&declare=false`))
      queue.work()
      const later = { delay: 150 }
      await queue.enqueue(job, 'declared by another')
      await queue.enqueue(job, 'declared by another, later', later)
      const both = ['declared by another', 'declared by another, later']
      await vi.waitFor(() => expect(ran).toEqual(expect.arrayContaining(both)), { timeout: 10_000 })
    })
  })

  describe('a payload that is longer than the server takes', () => {
    const text = 'x'.repeat(LONGEST + 1)

    test('is refused by its size, and the jobs beside it are accepted', async () => {
      await using queue = open(prefixed())
      queue.work()
      for (const time of ['before it is known', 'when it is known']) {
        const inputs = [`one ${time}`, text, `another ${time}`]
        const said = await Promise.all(inputs.map((input) => refusalOf(queue.enqueue(job, input))))
        expect(said[1]).toMatch(/^PAYLOAD_TOO_LARGE: .*max_message_size/)
        expect([said[0], said[2]]).toEqual([': it was not refused', ': it was not refused'])
        await vi.waitFor(() => expect(ran).toEqual(expect.arrayContaining([inputs[0], inputs[2]])), {
          timeout: 10_000,
        })
      }
      expect(ran.filter((name) => name === 'one when it is known')).toHaveLength(1)
    })

    test('stays in the ledger where there is one, and is run', async () => {
      const said: string[] = []
      const logger: Logger = { ...silentLogger, warn: (_, what) => void said.push(what) }
      await using queue = open(prefixed(), { ledger: beside(), logger })
      queue.work()
      for (const inputs of [['beside it', text], ['after it']]) {
        const handles = await Promise.all(inputs.map((input) => queue.enqueue(job, input)))
        await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))
      }
      expect(ran).toEqual(expect.arrayContaining(['beside it', text, 'after it']))
      expect(said).toEqual([])
    })

    test('is refused by its size where jobs are packed, too', async () => {
      await using queue = open(`${prefixed()}&packed=true`)
      const said = await Promise.all([
        refusalOf(queue.enqueue(job, text)),
        refusalOf(queue.enqueue(job, 'packed beside it')),
      ])
      expect(said[0]).toMatch(/^PAYLOAD_TOO_LARGE/)
      queue.work()
      await vi.waitFor(() => expect(ran).toContain('packed beside it'), { timeout: 10_000 })
    })
  })

  describe('RabbitMQ without a ledger', () => {
    test('is a choice that has to be made', async () => {
      await using queue = offload({ url: prefixed(), tasks: [job], logger: silentLogger })
      expect(await refusalOf(queue.ready())).toMatch(/^LEDGER_REQUIRED: .*ledger: 'none'/)
    })

    test('says what it gives up', async () => {
      const said: string[] = []
      const logger: Logger = { ...silentLogger, warn: (_, text) => void said.push(text) }
      await using queue = open(prefixed(), { logger })
      await queue.ready()
      expect(said).toEqual([expect.stringMatching(/gives up status, results, .*dedup by id, order by key/)])
    })

    const input = z.string()
    const notice = task('errors.notice', { input: endedJob, run: () => {} })
    const keyed = task('errors.keyed', { input, key: (name) => name, run: () => {} })
    const followed = task('errors.followed', { input, onDone: notice, run: () => {} })
    const urgent = task('errors.urgent', { input, priority: 9, run: () => {} })

    test.each([
      ['a key', keyed],
      ['what follows', followed],
    ])('refuses a task with %s at the start, and holds no connection', async (_, demanding) => {
      expect(await refused(prefixed(), { tasks: [job, demanding, notice] })).toMatch(
        new RegExp(`^CAPABILITY_MISSING: .*ask less of task "${demanding.name}"`),
      )
    })

    test('refuses a priority before RabbitMQ 4, at the start and when it is asked for', async () => {
      const model = await connect(rabbit.url)
      const isOld = Number.parseInt(model.connection.serverProperties.version, 10) < 4
      await model.close()
      await using queue = open(prefixed())
      const said = await refusalOf(queue.enqueue(job, 'urgent', { priority: 9 }))
      const atStart = await refused(prefixed(), { tasks: [urgent] })
      if (isOld) expect(said).toMatch(/^CAPABILITY_MISSING: .*serves no job before another/)
      if (isOld) expect(atStart).toMatch(/^CAPABILITY_MISSING: .*task "errors.urgent"/)
      if (!isOld) expect([said, atStart]).toEqual([': it was not refused', ': it was not refused'])
    })

    test.each([
      ['a key', { key: 'k' }, 'keeps no order by key'],
      ['an idempotency key', { idempotencyKey: 'k' }, 'cannot hold an idempotency key'],
      ['what follows', { onDone: notice }, 'cannot follow the end of a job'],
    ])('refuses a job with %s, and takes the next', async (_, options, lacks) => {
      await using queue = open(prefixed(), { tasks: [job, notice] })
      expect(await refusalOf(queue.enqueue(job, 'refused', options))).toMatch(
        new RegExp(`^CAPABILITY_MISSING: rabbitmq with ledger: 'none' ${lacks}`),
      )
      const many = await queue.enqueueMany(job, [{ input: 'refused', options }]).then(
        (answers) => answers.map((answer) => answer.status),
        (error: { code: string }) => error.code,
      )
      expect(JSON.stringify(many)).toMatch(/rejected|CAPABILITY_MISSING/)
      await queue.enqueue(job, 'taken')
      expect(ran).not.toContain('refused')
    })

    test('refuses what only a ledger can tell', async () => {
      await using queue = open(prefixed())
      const handle = await queue.enqueue(job, 'untold')
      for (const ask of [handle.cancel(), handle.result(), queue.get(handle.id), queue.find({})])
        expect(await refusalOf(ask)).toMatch(/^CAPABILITY_MISSING: .*ledger/)
    })
  })
}
