import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { MemoryStore, openMemory } from '../src/backends/memory/index.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import type { Clock } from '../src/clock.ts'
import type { AnyTask, Documents, JobRecord, Logger, Schedule, Worker } from '../src/index.ts'
import { endedJob, offload, schedule, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import { Offload } from '../src/offload.ts'
import { LeastPowerServer, testQueue, VirtualClock } from '../src/testing/index.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.UTC(2030, 0, 1)

const folder = mkdtempSync(join(tmpdir(), 'offload-schedules-'))
const worlds: World[] = []
let files = 0
afterAll(async () => {
  for (const world of worlds) await world.close()
  rmSync(folder, { recursive: true, force: true })
})

const until = (condition: () => unknown): Promise<void> =>
  vi.waitFor(async () => expect(await condition()).toBeTruthy(), { timeout: 10_000, interval: 2 })

/** One store on a clock that stands still until it is told to go on, and any number of processes on it. */
class World {
  readonly clock: VirtualClock = new VirtualClock(START)
  /** What the clock on the wall is ahead of time itself. */
  ahead = 0
  readonly warnings: string[] = []
  readonly #wall: Clock = {
    now: () => this.clock.now() + this.ahead,
    elapsed: () => this.clock.elapsed(),
    after: (ms, run, kind) => this.clock.after(ms, run, kind),
    keepAlive: () => this.clock.keepAlive(),
  }
  readonly #open: (options: BackendOptions) => Promise<Backend>
  readonly #queues: Offload[] = []
  #backend: Promise<Backend> | undefined

  constructor(open: (options: BackendOptions) => Promise<Backend>) {
    this.#open = open
    worlds.push(this)
  }

  process(tasks: readonly AnyTask[], schedules: readonly Schedule[] = []): Offload {
    const logger: Logger = { ...silentLogger, warn: (_, message) => void this.warnings.push(message) }
    const url = { open: (options: BackendOptions) => this.#open({ ...options, retention: defaultRetention }) }
    const queue = new Offload({ url, tasks, schedules, logger }, this.#wall, () => 0.5)
    this.#queues.push(queue)
    return queue
  }

  /** The store as it is, past all queues. */
  backend(): Promise<Backend> {
    const options = {
      clock: this.#wall,
      logger: silentLogger,
      retention: defaultRetention,
      timeoutMs: 5000,
    }
    this.#backend ??= this.#open(options)
    return this.#backend
  }

  async documents(): Promise<Documents> {
    const { documents } = await this.backend()
    if (documents === undefined) throw new Error('no documents')
    return documents
  }

  async jobs(): Promise<readonly JobRecord[]> {
    const { ledger } = await this.backend()
    if (ledger === undefined) throw new Error('no ledger')
    return (await ledger.find({ limit: 1000 })).jobs.toReversed()
  }

  async ids(): Promise<string[]> {
    return (await this.jobs()).map(({ id }) => id).sort()
  }

  /** Goes on by `ms` in steps, and lets what was begun in each come to its end. */
  async pass(ms: number, step: number = Math.min(ms, 1000)): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      await this.clock.advance(step)
      await this.settle()
    }
  }

  /** As a host that slept. */
  async sleep(ms: number): Promise<void> {
    await this.clock.jump(ms)
    await this.settle()
    await this.pass(1100, 100)
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await this.clock.advance(0)
  }

  /** What ends does so in time of its own, so time goes on meanwhile. */
  async close(): Promise<void> {
    let isClosed = false
    const closing = Promise.all(this.#queues.map((queue) => queue.close())).then(() => {
      isClosed = true
    })
    while (!isClosed) await this.clock.advance(100)
    await closing
    await (await this.#backend)?.close()
  }
}

const stores: Record<string, () => World> = {
  memory: () => {
    let store: MemoryStore | undefined
    return new World(async (options) => {
      store ??= new MemoryStore(options)
      return openMemory(options, store)
    })
  },
  sqlite: () => {
    const path = join(folder, `${++files}.db`)
    return new World((options) => openSqlite(path, options))
  },
  'a message broker with sqlite as ledger': () => {
    const path = join(folder, `${++files}.db`)
    const server = new LeastPowerServer(3)
    return new World(async (options) => {
      const { ledger, documents } = await openSqlite(path, options)
      if (ledger === undefined) throw new Error('no ledger')
      return joined(server.connect(), ledger, options, documents)
    })
  },
}

interface Ran {
  readonly id: string
  readonly scheduledFor: number | undefined
  readonly input: unknown
}

function taskThat(name = 'work'): { work: ReturnType<typeof make>; ran: Ran[] } {
  const ran: Ran[] = []
  const make = () =>
    task(name, {
      input: z.object({ n: z.number() }),
      priority: 6,
      retry: { attempts: 3 },
      run(input, { id, scheduledFor }) {
        ran.push({ id, scheduledFor, input })
      },
    })
  return { work: make(), ran }
}

/** Its jobs run until they are told to end. */
function slowTask(): { slow: ReturnType<typeof make>; ends: (() => void)[]; endAll: () => void } {
  const ends: (() => void)[] = []
  let isOver = false
  const make = () =>
    task('slow', {
      input: z.null(),
      run: () => (isOver ? undefined : new Promise<void>((resolve) => void ends.push(resolve))),
    })
  const endAll = (): void => {
    isOver = true
    for (const end of ends) end()
  }
  return { slow: make(), ends, endAll }
}

const at = (ms: number): string => new Date(START + ms).toISOString().replace('.000', '').replace(/[-:]/g, '')

describe.each(Object.entries(stores))('on %s', (name, open) => {
  test('each tick becomes one job, made like any other, and its handler is told which tick', async () => {
    const world = open()
    const { work, ran } = taskThat()
    const queue = world.process([work], [schedule('s', { task: work, input: { n: 7 }, every: '10s' })])
    queue.work()
    await world.pass(35_000)
    await until(() => ran.length === 3)
    const ids = [`s@${at(10_000)}`, `s@${at(20_000)}`, `s@${at(30_000)}`]
    expect(ran).toEqual(
      ids.map((id, nth) => ({ id, scheduledFor: START + (nth + 1) * 10_000, input: { n: 7 } })),
    )
    const [job] = await world.jobs()
    expect(job).toMatchObject({
      task: 'work',
      queue: 'default',
      priority: 6,
      maxAttempts: 3,
      payload: '{"n":7}',
    })
    expect(await queue.schedules.get('s')).toMatchObject({
      nextAt: START + 40_000,
      lastTick: START + 30_000,
      lastJobId: ids[2],
    })
  })

  test('three processes that tick at once make one job a tick, and one that stops is not missed', async () => {
    const world = open()
    const { work } = taskThat()
    const schedules = Array.from({ length: 20 }, (_, n) =>
      schedule(`s${n}`, { task: work, input: { n }, every: 1000 }),
    )
    const workers: Worker[] = []
    for (let n = 0; n < 3; n++) {
      const queue = world.process([work], schedules)
      await queue.ready()
      workers.push(queue.work())
    }
    await world.pass(3500, 100)
    const stopped = workers[0]?.stop()
    await world.pass(1000, 100)
    await stopped
    await world.pass(1000, 100)
    await until(async () => (await world.jobs()).length >= 100)
    const ticks = [1, 2, 3, 4, 5].flatMap((second) =>
      schedules.map(({ name }) => `${name}@${at(second * 1000)}`),
    )
    expect(await world.ids()).toEqual(ticks.sort())
  })

  test('the same definition again changes nothing; another time is counted from now; a pause outlives both', async () => {
    const world = open()
    const { work } = taskThat()
    const define = (more: object = {}) => schedule('s', { task: work, input: { n: 1 }, every: '1h', ...more })
    const documents = await world.documents()
    const version = async () => (await documents.list({ kind: 'schedule' }))[0]?.version
    await world.process([work], [define()]).ready()
    await world.clock.advance(10 * MINUTE)
    const queue = world.process([work], [define()])
    await queue.ready()
    expect(await version()).toBe(1)
    expect((await queue.schedules.get('s'))?.nextAt).toBe(START + HOUR)

    await queue.schedules.put(define({ input: { n: 2 }, priority: 9 }))
    expect(await queue.schedules.get('s')).toMatchObject({
      nextAt: START + HOUR,
      input: { n: 2 },
      priority: 9,
    })
    await queue.schedules.put(define({ every: '2h' }))
    expect((await queue.schedules.get('s'))?.nextAt).toBe(START + 10 * MINUTE + 2 * HOUR)

    await queue.schedules.pause('s')
    await world.process([work], [define({ every: '3h' })]).ready()
    const paused = await queue.schedules.get('s')
    expect(paused).toMatchObject({ paused: true, every: 3 * HOUR })
    expect(paused).not.toHaveProperty('nextAt')
    await queue.schedules.resume('s')
    expect((await queue.schedules.get('s'))?.nextAt).toBe(START + 10 * MINUTE + 3 * HOUR)
  })

  test('a paused schedule makes no job, a resumed one goes on from now, and runNow() works in both', async () => {
    const world = open()
    const { work, ran } = taskThat()
    const queue = world.process(
      [work],
      [schedule('s', { task: work, input: { n: 1 }, every: '10s', paused: true })],
    )
    queue.work()
    await world.pass(30_000)
    expect(await world.jobs()).toEqual([])
    const id = await queue.schedules.runNow('s')
    await world.pass(1000)
    await until(() => ran.length === 1)
    expect(ran).toEqual([{ id, scheduledFor: undefined, input: { n: 1 } }])
    expect(await queue.schedules.get('s')).toMatchObject({ paused: true, lastJobId: id })
    await queue.schedules.resume('s')
    await queue.schedules.resume('s')
    await world.pass(10_000)
    await until(() => ran.length === 2)
    expect(ran[1]?.id).toBe(`s@${at(40_000)}`)
    await queue.schedules.pause('s')
    await queue.schedules.pause('s')
    await world.pass(30_000)
    expect(await world.jobs()).toHaveLength(2)
  })

  test.each([
    ['skip', []],
    ['one', [5]],
    [{ all: 3 }, [3, 4, 5]],
  ] as const)(
    'after five hours in which nobody ran, catchUp %j runs what it says',
    async (catchUp, hours) => {
      const world = open()
      const { work } = taskThat()
      const queue = world.process(
        [work],
        [schedule('s', { task: work, input: { n: 1 }, every: '1h', catchUp })],
      )
      await queue.ready()
      await world.clock.jump(5 * HOUR + 2 * MINUTE)
      queue.work()
      await world.pass(3000)
      expect(await world.ids()).toEqual(hours.map((hour) => `s@${at(hour * HOUR)}`))
      expect((await queue.schedules.get('s'))?.nextAt).toBe(START + 6 * HOUR)
    },
  )

  test('a clock that jumps ahead while the worker runs is a matter of catchUp, too', async () => {
    const world = open()
    const { work } = taskThat()
    const queue = world.process([work], [schedule('s', { task: work, input: { n: 1 }, every: '1h' })])
    queue.work()
    await world.pass(3000)
    await world.sleep(48 * HOUR + 2 * MINUTE)
    expect(await world.ids()).toEqual([`s@${at(48 * HOUR)}`])
  })

  test('a clock that goes back makes no tick twice, and no schedule waits until it is there again', async () => {
    const world = open()
    const { work } = taskThat()
    const queue = world.process([work], [schedule('s', { task: work, input: { n: 1 }, every: '10s' })])
    queue.work()
    await world.pass(12_000)
    world.ahead = 12 * HOUR
    await world.pass(1100, 100)
    const ahead = await world.ids()
    expect(ahead[0]).toBe(`s@${at(10_000)}`)
    world.ahead = -10_000
    await world.pass(25_000)
    const back = await world.ids()
    expect(back).toEqual(expect.arrayContaining([...ahead, `s@${at(20_000)}`]))
    expect(new Set(back).size).toBe(back.length)
    expect(back).toContain(`s@${at(10_000)}`)
    expect((await queue.schedules.get('s'))?.nextAt).toBeLessThanOrEqual(START + 40_000)
  })

  test('a worker that starts after the clock was set back places anew what was stored ahead', async () => {
    const world = open()
    const { work } = taskThat()
    await world.clock.jump(1000 * HOUR)
    const queue = world.process(
      [work],
      [
        schedule('cron', { task: work, input: { n: 1 }, cron: '*/10 * * * * *' }),
        schedule('every', { task: work, input: { n: 1 }, every: '7s' }),
      ],
    )
    await queue.ready()
    await world.clock.jump(-1000 * HOUR)
    queue.work()
    await world.pass(21_000)
    const ids = await world.ids()
    expect(ids.filter((id) => id.startsWith('cron'))).toEqual([`cron@${at(10_000)}`, `cron@${at(20_000)}`])
    expect(ids.filter((id) => id.startsWith('every')).length).toBeGreaterThanOrEqual(2)
  })

  test("overlap 'skip' makes no job while one has not ended, be it of a tick or of runNow()", async () => {
    const world = open()
    const { slow, ends, endAll } = slowTask()
    const queue = world.process(
      [slow],
      [schedule('s', { task: slow, input: null, every: '10s', overlap: 'skip' })],
    )
    queue.work()
    await world.pass(35_000)
    await until(() => ends.length === 1)
    expect(await world.ids()).toEqual([`s@${at(10_000)}`])
    ends[0]?.()
    await until(async () => (await world.jobs())[0]?.state === 'done')
    await world.pass(10_000)
    await until(() => ends.length === 2)
    const manual = await queue.schedules.runNow('s')
    await world.pass(1000)
    await until(() => ends.length === 3)
    ends[1]?.()
    await until(async () => (await queue.get(`s@${at(40_000)}`))?.state === 'done')
    await world.pass(20_000)
    expect(await world.ids()).toEqual([`s@${at(10_000)}`, `s@${at(40_000)}`, manual].sort())
    endAll()
  })

  test("overlap 'wait' makes every job, and they run one at a time", async () => {
    const world = open()
    const { slow, ends, endAll } = slowTask()
    const queue = world.process(
      [slow],
      [schedule('s', { task: slow, input: null, every: '10s', overlap: 'wait' })],
    )
    queue.work()
    await world.pass(35_000)
    await until(() => ends.length === 1)
    expect((await world.jobs()).map(({ state, key }) => [state, key])).toEqual([
      ['running', 's'],
      ['queued', 's'],
      ['queued', 's'],
    ])
    ends[0]?.()
    await until(async () => {
      await world.pass(300, 100)
      return ends.length === 2
    })
    endAll()
  })

  test('a schedule of a task that this process does not have is left to the one that has it', async () => {
    const world = open()
    const [mine, theirs] = [taskThat('mine'), taskThat('theirs')]
    const other = world.process(
      [theirs.work],
      [schedule('theirs', { task: theirs.work, input: { n: 1 }, every: '10s' })],
    )
    await other.ready()
    const queue = world.process(
      [mine.work],
      [schedule('mine', { task: mine.work, input: { n: 1 }, every: '10s' })],
    )
    queue.work({ queues: ['elsewhere'] })
    await world.pass(20_500)
    expect(await world.ids()).toEqual([`mine@${at(10_000)}`, `mine@${at(20_000)}`])
    const warned = world.warnings.filter((message) => message.includes('theirs'))
    expect(warned).toEqual([
      expect.stringMatching(
        /schedule "theirs" cannot tick here and is left to other processes.*task "theirs"/,
      ),
    ])
    await expect(queue.schedules.runNow('theirs')).rejects.toMatchObject({ code: 'TASK_UNKNOWN' })
    other.work({ queues: ['elsewhere'] })
    await world.pass(2000)
    expect(await world.ids()).toEqual(
      [`mine@${at(10_000)}`, `mine@${at(20_000)}`, `theirs@${at(10_000)}`, `theirs@${at(20_000)}`].sort(),
    )
  })

  test('documents that cannot be read, more than one look takes, do not hold up the others', async () => {
    const world = open()
    const documents = await world.documents()
    const broken = ['', 'no json', '{}', 'null', '5', '[]', '{"definition":null}', '{"__proto__":{}}']
    const due = { kind: 'schedule', expected: 0, dueAt: 1 }
    await documents.write(
      Array.from({ length: 2500 }, (_, n) => ({
        ...due,
        name: `broken-${n}`,
        value: broken[n % broken.length],
      })),
    )
    await documents.write([
      { ...due, name: 'hostile "name"; --', value: '{}' },
      { ...due, name: 'mars', value: onMars() },
    ])
    const { work } = taskThat()
    const queue = world.process([work], [schedule('good', { task: work, input: { n: 1 }, every: '2s' })])
    queue.work()
    await world.pass(6100, 500)
    expect(await world.ids()).toEqual([2, 4, 6].map((second) => `good@${at(second * 1000)}`))
    expect(world.warnings).toHaveLength(101)
    expect(await queue.schedules.get('broken-1')).toBeUndefined()
    await queue.schedules.put(schedule('broken-1', { task: work, input: { n: 1 }, every: '1h' }))
    expect(await queue.schedules.get('broken-1')).toMatchObject({ every: HOUR })
    expect(await queue.schedules.remove('broken-2')).toBe(true)
    const { schedules, next } = await queue.schedules.list({ limit: 10 })
    expect(schedules.map((one) => one.name)).toEqual(['broken-1'])
    expect(next).toBeDefined()
  })

  test('schedules are listed in pages, their next ticks told, and removed with nothing after them', async () => {
    const world = open()
    const { work } = taskThat()
    const names = ['a', 'b', 'c', 'd', 'e']
    const queue = world.process(
      [work],
      names.map((one) =>
        schedule(one, { task: work, input: { n: 1 }, cron: '30 2 * * *', timeZone: 'Europe/Berlin' }),
      ),
    )
    const listed: string[] = []
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const page = await queue.schedules.list({ limit: 2, ...(after === undefined ? {} : { after }) })
      listed.push(...page.schedules.map((one) => one.name))
      after = page.next
    }
    expect(listed).toEqual(names)
    expect(await queue.schedules.next('a', 2)).toEqual([1, 2].map((day) => Date.UTC(2030, 0, day, 1, 30)))
    expect(await queue.schedules.remove('a')).toBe(true)
    expect(await queue.schedules.remove('a')).toBe(false)
    expect(await queue.schedules.get('a')).toBeUndefined()
    for (const asked of [
      queue.schedules.pause('a'),
      queue.schedules.resume('a'),
      queue.schedules.next('a'),
      queue.schedules.runNow('a'),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' })
    for (const asked of [queue.schedules.list({ limit: 0 }), queue.schedules.next('b', 1001)])
      await expect(asked).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    queue.work()
    await queue.schedules.remove('b')
    await world.clock.jump(2 * HOUR)
    await world.pass(2000)
    expect(await world.ids()).toEqual(['c', 'd', 'e'].map((one) => `${one}@${at(1.5 * HOUR)}`))
  })

  test('what follows the end of a task follows the end of its schedule, too', async () => {
    const world = open()
    const told: unknown[] = []
    const notice = task('notice', {
      input: endedJob,
      run: ({ id, state, data }) => void told.push([id, state, data]),
    })
    const work = task('work', { input: z.null(), onDone: { task: notice, data: 'x' }, run() {} })
    const one = schedule('s', { task: work, input: null, every: '10s' })
    expect(() => world.process([work], [one])).toThrow(expect.objectContaining({ code: 'TASK_UNKNOWN' }))
    const queue = world.process([work, notice], [one])
    queue.work()
    await world.pass(12_000)
    await until(() => told.length === 1)
    const id = await queue.schedules.runNow('s')
    await world.pass(1000)
    await until(() => told.length === 2)
    expect(told).toEqual([
      [`s@${at(10_000)}`, 'done', 'x'],
      [id, 'done', 'x'],
    ])
  })

  test('many processes that start at once store the schedules once', async () => {
    const world = open()
    const { work } = taskThat()
    const schedules = Array.from({ length: 700 }, (_, n) =>
      schedule(`s${n}`, { task: work, input: { n }, every: '1h' }),
    )
    await Promise.all([1, 2, 3, 4].map(() => world.process([work], schedules).ready()))
    const documents = await world.documents()
    const stored = await documents.list({ kind: 'schedule', limit: 1000 })
    expect(stored).toHaveLength(700)
    expect(new Set(stored.map(({ version }) => version))).toEqual(new Set([1]))
  })

  test('an input that does not fit is refused when the queue is opened or the schedule put, and nothing is stored', async () => {
    const world = open()
    const { work } = taskThat()
    const wrong = schedule('s', { task: work, input: { n: 'one' } as never, every: '1s' })
    await expect(world.process([work], [wrong]).ready()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const queue = world.process([work])
    await expect(queue.schedules.put(wrong)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const unsendable = schedule('s', { task: work, input: { n: 1n } as never, every: '1s' })
    await expect(queue.schedules.put(unsendable)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
    const unknown = schedule('s', { task: taskThat('other').work, input: { n: 1 }, every: '1s' })
    await expect(queue.schedules.put(unknown)).rejects.toMatchObject({ code: 'TASK_UNKNOWN' })
    expect(await queue.schedules.list()).toEqual({ schedules: [] })
  })

  test('a change that others win again and again is tried again, so none is lost', async () => {
    const world = open()
    const { work } = taskThat()
    const queue = world.process([work], [schedule('s', { task: work, input: { n: 1 }, every: '1h' })])
    await queue.ready()
    const other = world.process([work])
    const ids = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => (n % 2 ? queue : other).schedules.runNow('s')),
    )
    expect(await world.ids()).toEqual([...ids].sort())
    expect((await queue.schedules.get('s'))?.nextAt).toBe(START + HOUR)
  })

  if (name !== 'memory') return
  test('a store that cannot be reached for a while is asked again, and no tick is lost', async () => {
    const world = open()
    const { work } = taskThat()
    const queue = world.process([work], [schedule('s', { task: work, input: { n: 1 }, every: '2s' })])
    await queue.ready()
    const broken = await world.backend()
    const documents = broken.documents
    if (documents === undefined) throw new Error('no documents')
    queue.work()
    await world.pass(2500, 500)
    const due = vi.spyOn(MemoryStore.prototype, 'finish').mockImplementation(() => {
      throw new Error('away')
    })
    await world.pass(4000, 500)
    due.mockRestore()
    await world.pass(8000, 500)
    expect(await world.ids()).toEqual(
      [2, 4, 6, 8, 10, 12, 14].map((second) => `s@${at(second * 1000)}`).sort(),
    )
    expect(world.warnings).toEqual(expect.arrayContaining([expect.stringContaining('schedules tick again')]))
  })
})

test('a test queue runs schedules in its own time, through an outage, and months cost what happens in them', async () => {
  const { work, ran } = taskThat()
  const monthly = schedule('monthly', {
    task: work,
    input: { n: 1 },
    cron: '30 2 1 * *',
    timeZone: 'Europe/Berlin',
  })
  await using queue = testQueue({ tasks: [work], schedules: [monthly], now: START })
  await queue.advance('90d')
  const instants = ['2030-01-01T01:30Z', '2030-02-01T01:30Z', '2030-03-01T01:30Z', '2030-04-01T00:30Z']
  expect(ran.map(({ scheduledFor }) => scheduledFor)).toEqual(
    instants.slice(0, 3).map((one) => Date.parse(one)),
  )
  queue.faults.backendDown('1h')
  await queue.advance('2h')
  await queue.advance('2d')
  expect(ran.map(({ scheduledFor }) => scheduledFor)).toEqual(instants.map((one) => Date.parse(one)))
})

test('a message broker without a ledger refuses schedules with what to do', async () => {
  const server = new LeastPowerServer()
  const url = {
    async open() {
      const broker = server.connect()
      return { broker, close: () => broker.close() }
    },
  }
  const { work } = taskThat()
  const options = { url, ledger: 'none', tasks: [work], logger: silentLogger }
  const refused = { code: 'CAPABILITY_MISSING', message: expect.stringContaining('name a ledger') }
  const one = schedule('s', { task: work, input: { n: 1 }, every: '1s' })
  const queue = offload({ ...options, schedules: [one] })
  await expect(queue.ready()).rejects.toMatchObject(refused)
  await using other = offload(options)
  await expect(other.schedules.put(one)).rejects.toMatchObject(refused)
})

function onMars(): string {
  const timing = { cron: '0 3 * * *', timeZone: 'Mars/Phobos' }
  const definition = { task: 'work', payload: '{}', timing, catchUp: 'one', overlap: 'allow' }
  return JSON.stringify({ definition, anchor: START, paused: false, jobIds: [] })
}
