import { statSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import type { EnqueueOptions, Logger, RetryOptions } from '../src/index.ts'
import { OffloadError } from '../src/index.ts'
import { Offload } from '../src/offload.ts'
import { connectTo } from './broker-client.ts'
import type { Poison } from './handlers.ts'
import { jobTask, poisonTask } from './handlers.ts'
import { forgetNothing } from './keep.ts'
import type { Mutant } from './mutants.ts'
import { mutated } from './mutants.ts'
import { Outside } from './outside.ts'
import type { Kill, Method } from './points.ts'
import { Points } from './points.ts'
import { FileHog, measureWorker, watchWorker } from './watch.ts'
import type { Jump } from './wrong-clock.ts'
import { wrongClock } from './wrong-clock.ts'

export type { Kill } from './points.ts'

export interface ChildOptions {
  readonly role: 'produce' | 'work'
  readonly file: string
  readonly outside: string
  /** Of the message server: the store is its pair with the file. */
  readonly brokerPort?: number
  readonly kill?: Kill
  /** A bug put in on purpose. */
  readonly mutant?: Mutant
  /** How the clock of this process errs. */
  readonly clock?: readonly Jump[]
  readonly leaseMs?: number
  readonly concurrency?: number
  /** Of one run. */
  readonly runMs?: number
  /** Every run ends by a throw. */
  readonly throws?: boolean
  /** Of a service that every run calls. */
  readonly sinkPort?: number
  readonly retry?: RetryOptions
  /** A worker writes down its health and lost leases. */
  readonly watched?: boolean
  /** A worker writes down its memory, its buffer and how its event loop is held. */
  readonly measured?: boolean
  /** Begins with no file descriptor left; 'give files' gives them back. */
  readonly takesFiles?: boolean
  /** A producer: which ids, how many, over how many keys, and the pause between calls. */
  readonly name?: string
  readonly jobs?: number
  readonly keys?: number
  readonly payloadBytes?: number
  /** Due at an instant of true time, and spread over so long after it. */
  readonly due?: { readonly at: number; readonly spreadMs: number }
  readonly delayMs?: number
  /** What was refused is tried until it is accepted. */
  readonly insists?: boolean
  /** Writes down how long the log of the store is at each acknowledgement. */
  readonly notesLog?: boolean
  /** The first so many of them are poisonous. */
  readonly poisons?: number
  /** What a poisonous job does to its worker. @default 'kill' */
  readonly poison?: Poison
  /** Calls in flight. */
  readonly calls?: number
  readonly pauseMs?: number
  readonly seconds?: number
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions
const outside = new Outside(options.outside)
const points = new Points(outside, options.kill)
const job = jobTask(options, outside, points)
const poison = poisonTask(options, outside, points)

/** The file alone, or a message server joined with it. */
async function openStore(
  { file, brokerPort, mutant }: ChildOptions,
  backendOptions: BackendOptions,
): Promise<Backend> {
  const unsynced = mutant === 'a job is acknowledged without an fsync'
  const store = await openSqlite(unsynced ? `${file}?synchronous=normal` : file, backendOptions)
  if (brokerPort === undefined || store.ledger === undefined) return store
  const isDeaf = mutant === 'a dead connection is never noticed'
  return joined(connectTo(brokerPort, isDeaf), store.ledger, backendOptions)
}

/** How much of the log was written when something was acknowledged: no less is needed to have it. */
function logSize(): number {
  return options.notesLog === true ? statSync(`${options.file}-wal`).size : 0
}

/** The store, with a kill around its calls and what it acknowledged written down outside. */
async function open(backendOptions: BackendOptions): Promise<Backend> {
  const backend = mutated(await openStore(options, backendOptions), options.mutant)
  const { broker } = backend
  const around = async <T>(
    method: Method,
    call: () => Promise<T>,
    note?: (answer: T) => void,
  ): Promise<T> => {
    const count = points.count(method)
    points.pass(method, 'before', count)
    const answer = await call()
    note?.(answer)
    points.pass(method, 'after', count)
    return answer
  }
  return {
    ...backend,
    broker: {
      ...broker,
      enqueue: (jobs, room) => around('enqueue', () => broker.enqueue(jobs, room)),
      claim: (queue, want) =>
        around(
          'claim',
          () => broker.claim(queue, want),
          (claims) => {
            for (const { job, attempt } of claims) outside.write('C', job.id, attempt)
          },
        ),
      settle: (settlements) =>
        around(
          'settle',
          () => broker.settle(settlements),
          (held) => {
            const size = logSize()
            settlements.forEach((settlement, index) => {
              if (held[index] !== true) return
              const { type, claim } = settlement
              const write = (kind: 'D' | 'T', value: number): void =>
                outside.write(kind, claim.job.id, attemptOf(claim), process.pid, value)
              if (type === 'done') write('D', size)
              if (type === 'retry') write('T', settlement.runAt)
            })
          },
        ),
      renew: (beats, leaseMs) => around('renew', () => broker.renew(beats, leaseMs)),
    },
  }
}

function attemptOf(claim: object): number {
  return (claim as { attempt?: number }).attempt ?? 0
}

const noted = (_: object, message?: string): void => outside.write('X', (message ?? '?').slice(0, 120))
const logger: Logger = { debug() {}, info() {}, warn: noted, error: noted }

function openQueue(): Offload {
  const all = { url: { open }, tasks: [job, poison], logger, retention: forgetNothing }
  const random = options.mutant === 'retries wait without jitter' ? () => 0.97 : Math.random
  return new Offload(all, wrongClock(options.clock ?? []), random)
}

function optionsOf(id: string, n: number): EnqueueOptions {
  const { keys = 0, due, delayMs, jobs = 1 } = options
  return {
    id,
    ...(keys === 0 ? {} : { key: `k${n % keys}` }),
    ...(due === undefined ? {} : { runAt: due.at + (n / jobs) * due.spreadMs }),
    ...(delayMs === undefined ? {} : { delay: delayMs }),
  }
}

async function produce(): Promise<void> {
  const queue = openQueue()
  const known = new Set(outside.ids('P'))
  const { name = 'p', jobs = 50, poisons = 0, pauseMs = 2, calls = 5, payloadBytes, insists } = options
  const input = payloadBytes === undefined ? null : 'x'.repeat(payloadBytes)
  const until = Date.now() + (options.seconds ?? 3600) * 1000
  const accept = async (n: number): Promise<void> => {
    const id = `${name}-${n}`
    try {
      await queue.enqueue(n < poisons ? poison : job, input, optionsOf(id, n))
      known.add(id)
      outside.write('P', id, 0, process.pid, logSize())
    } catch (error) {
      outside.write('R', error instanceof OffloadError ? error.code : 'no code')
      outside.write('X', String(error))
    }
  }
  for (let at = 0; at < jobs && Date.now() < until; ) {
    const ids = Array.from({ length: Math.min(calls, jobs - at) }, (_, n) => at + n)
    const fresh = ids.filter((n) => !known.has(`${name}-${n}`))
    await Promise.all(fresh.map(accept))
    if (insists !== true || ids.every((n) => known.has(`${name}-${n}`))) at += calls
    if (fresh.length > 0) await wait(pauseMs)
  }
  await queue.close()
  process.disconnect?.()
}

function work(): void {
  outside.open()
  const files = new FileHog()
  if (options.takesFiles === true) outside.write('M', 'files', 0, process.pid, files.take())
  const queue = openQueue()
  const worker = queue.work({ concurrency: options.concurrency ?? 4, lease: options.leaseMs ?? 1000 })
  if (options.watched === true) watchWorker(worker, outside)
  if (options.measured === true) measureWorker(worker, outside)
  const heed: Readonly<Record<string, () => void>> = {
    usage: () => process.send?.(process.cpuUsage()),
    'take files': () => outside.write('M', 'files', 0, process.pid, files.take()),
    'give files': () => files.giveBack(),
    stop: () =>
      void worker
        .stop()
        .then(() => queue.close())
        .then(() => process.exit(0)),
  }
  process.on('message', (message) => heed[String(message)]?.())
  process.once('disconnect', () => void process.exit(0))
}

if (options.role === 'produce') await produce()
else work()
