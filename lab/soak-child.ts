import { setTimeout as wait } from 'node:timers/promises'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Logger } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { Histogram } from './histogram.ts'
import { idOf, numbersOf, Tally } from './tally.ts'

export interface SoakChildOptions {
  readonly role: 'produce' | 'work'
  /** Which process of the soak this is: no other ever has it. */
  readonly number: number
  readonly file: string
  /** Where what was acknowledged is noted. */
  readonly folder: string
  readonly retentionMs: number
  readonly leaseMs: number
  readonly concurrency: number
  /** Jobs a second of a producer; when left out, as many as the workers keep up with. */
  readonly rate?: number
}

/** What a process answers to 'report'. */
export interface Report {
  readonly rss: number
  readonly heapUsed: number
  /** Open handles and requests, as Node counts them. */
  readonly resources: number
  /** Since the report before, in ms: from the call to its answer, and from the call to the start of the handler. */
  readonly accept: readonly number[]
  readonly start: readonly number[]
  /** Warnings, errors and refused calls since the report before; those that differ in numbers alone are one. */
  readonly logged: readonly (readonly [message: string, times: number])[]
}

/** Without a rate: so many calls in flight, while no more than so many jobs wait. */
const CALLS_IN_FLIGHT = 100
const MOST_WAITING = 5000
const TICK_MS = 5
/** What a stall delayed is called for afterwards, as far as it is no longer ago than this. */
const MADE_UP_MS = 250

const options = JSON.parse(process.argv[2] ?? '{}') as SoakChildOptions
const { folder, number, leaseMs, concurrency, retentionMs } = options
const accept = new Histogram()
const start = new Histogram()
const logged = new Map<string, number>()

/** The clock that all processes of the host share, in ms; that of the day may be set meanwhile. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

interface Order {
  readonly calledAt: number
}

const order: StandardSchemaV1<Order, Order> = {
  '~standard': {
    version: 1,
    vendor: 'lab',
    validate: (value) => (isOrder(value) ? { value } : { issues: [{ message: 'is no order' }] }),
  },
}

function isOrder(value: unknown): value is Order {
  return (
    typeof value === 'object' && value !== null && 'calledAt' in value && typeof value.calledAt === 'number'
  )
}

let ran: Tally | undefined
const job = task('soak.job', {
  input: order,
  retry: { attempts: 100, base: '10ms', max: '20ms' },
  async run({ calledAt }, { id }) {
    start.add(now() - calledAt)
    await ran?.note(...numbersOf(id))
  },
})

function log(message: string): void {
  const kind = message.replace(/\d+/g, 'N').slice(0, 120)
  logged.set(kind, (logged.get(kind) ?? 0) + 1)
}
const logIt = (_: object, message: string): void => log(message)
const logger: Logger = { debug() {}, info() {}, warn: logIt, error: logIt }
const queue = offload({
  url: `sqlite:${options.file}`,
  tasks: [job],
  logger,
  retention: { ended: retentionMs, endedCount: 1e8, events: retentionMs, eventsCount: 1e8 },
})

function produce(): () => unknown {
  const accepted = new Tally(folder, 'accepted', number)
  let nth = 0
  const enqueue = async (): Promise<void> => {
    const own = nth++
    const calledAt = now()
    const input = {
      calledAt,
      orderId: 'ord_0123456789abcdef',
      to: 'someone.with.a.name@example.com',
      lines: [{ sku: 'A-1', n: 2 }],
      note: 'please leave it at the door',
    }
    try {
      await queue.enqueue(job, input, { id: idOf(number, own) })
      void accepted.note(number, own)
      accept.add(now() - calledAt)
    } catch (error) {
      log(String(error))
    }
  }
  return options.rate === undefined ? atFullSpeed(enqueue) : atRate(options.rate, enqueue)
}

function atRate(perSecond: number, enqueue: () => Promise<void>): () => void {
  let last = performance.now()
  let due = 0
  const timer = setInterval(() => {
    const passed = performance.now() - last
    last += passed
    due = Math.min(due + (passed / 1000) * perSecond, (MADE_UP_MS / 1000) * perSecond)
    for (; due >= 1; due--) void enqueue()
  }, TICK_MS)
  return () => clearInterval(timer)
}

function atFullSpeed(enqueue: () => Promise<void>): () => Promise<unknown> {
  let waiting = 0
  let stopped = false
  const look = async (): Promise<void> => {
    for (; !stopped; await wait(20)) waiting = (await queue.depth()).ready ?? 0
  }
  const call = async (): Promise<void> => {
    while (!stopped) await (waiting > MOST_WAITING ? wait(2) : enqueue())
  }
  const all = Promise.all([look(), ...Array.from({ length: CALLS_IN_FLIGHT }, call)])
  return () => {
    stopped = true
    return all
  }
}

function work(): () => Promise<void> {
  ran = new Tally(folder, 'ran', number)
  const done = new Tally(folder, 'done', number)
  const worker = queue.work({ concurrency, lease: leaseMs })
  worker.on('done', ({ jobId }) => void done.note(...numbersOf(jobId)))
  return () => worker.stop()
}

function report(): Report {
  const { rss, heapUsed } = process.memoryUsage()
  const told = [...logged]
  logged.clear()
  return {
    ...{ rss, heapUsed, resources: process.getActiveResourcesInfo().length },
    ...{ accept: accept.take(), start: start.take(), logged: told },
  }
}

async function leave(stop: () => unknown): Promise<void> {
  await stop()
  await queue.close()
  process.send?.(report(), () => process.exit(0))
}

const stop = options.role === 'produce' ? produce() : work()
process.on('message', (message) => {
  if (message === 'stop') void leave(stop)
  if (message === 'report') process.send?.(report())
})
process.once('disconnect', () => process.exit(0))
