import { setTimeout as wait } from 'node:timers/promises'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import type { Logger } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { connectTo } from './broker-client.ts'
import type { Mutant } from './mutants.ts'
import { mutated } from './mutants.ts'
import { Outside } from './outside.ts'

type Method = 'enqueue' | 'claim' | 'settle' | 'renew'

/** By -9, by exit(), by taking all memory, by never ending, or by holding the event loop for three leases. */
export type Poison = 'kill' | 'exit' | 'memory' | 'hang' | 'block'

/** Where a child kills itself: around the n-th call of the broker, or in the n-th run before or after its effect. */
export interface Kill {
  readonly at: Method | 'run'
  readonly when: 'before' | 'after'
  readonly nth: number
}

export interface ChildOptions {
  readonly role: 'produce' | 'work'
  readonly file: string
  readonly outside: string
  /** Of the message server: the store is its pair with the file. */
  readonly brokerPort?: number
  readonly kill?: Kill
  /** A bug put in on purpose. */
  readonly mutant?: Mutant
  readonly leaseMs?: number
  readonly concurrency?: number
  /** Of one run. */
  readonly runMs?: number
  /** A producer: which ids, how many, over how many keys, and the pause between calls. */
  readonly name?: string
  readonly jobs?: number
  readonly keys?: number
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
const counts = new Map<string, number>()

function die(): never {
  outside.write('K', options.kill?.at ?? 'poison')
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}

function dieAt(at: Kill['at'], when: Kill['when'], count: number): void {
  const { kill } = options
  if (kill?.at === at && kill.when === when && kill.nth === count) die()
}

function counted(at: Kill['at']): number {
  const count = (counts.get(at) ?? 0) + 1
  counts.set(at, count)
  return count
}

/** The file alone, or a message server joined with it. */
async function openStore(
  { file, brokerPort }: ChildOptions,
  backendOptions: BackendOptions,
): Promise<Backend> {
  const store = await openSqlite(file, backendOptions)
  if (brokerPort === undefined || store.ledger === undefined) return store
  return joined(connectTo(brokerPort), store.ledger, backendOptions)
}

/** Nothing may be forgotten before it was counted. */
const retention = { endedCount: 1e8, eventsCount: 1e8 }

/** The store, with a kill around its calls and what it acknowledged written down outside. */
async function open(backendOptions: BackendOptions): Promise<Backend> {
  const backend = mutated(await openStore(options, backendOptions), options.mutant)
  const { broker } = backend
  const around = async <T>(
    method: Method,
    call: () => Promise<T>,
    note?: (answer: T) => void,
  ): Promise<T> => {
    const count = counted(method)
    dieAt(method, 'before', count)
    const answer = await call()
    note?.(answer)
    dieAt(method, 'after', count)
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
            settlements.forEach(({ type, claim }, index) => {
              if (type === 'done' && held[index] === true) outside.write('D', claim.job.id, attemptOf(claim))
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

const poisons: Readonly<Record<Poison, () => unknown>> = {
  kill: () => die(),
  exit: () => process.exit(7),
  memory() {
    const taken: number[][] = []
    for (;;) taken.push(new Array<number>(1e6).fill(Math.random()))
  },
  hang: () => new Promise(() => {}),
  block() {
    for (const until = performance.now() + 3 * (options.leaseMs ?? 1000); performance.now() < until; );
  },
}

const anything: StandardSchemaV1<null, null> = {
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value: null }) },
}

const job = task('crash.job', {
  input: anything,
  retry: { attempts: 20, base: '10ms', max: '20ms' },
  async run(_, { id, attempt }) {
    outside.write('S', id, attempt)
    const count = counted('run')
    dieAt('run', 'before', count)
    await wait(options.runMs ?? 5)
    outside.write('E', id, attempt)
    dieAt('run', 'after', count)
  },
})

const poison = task('crash.poison', {
  input: anything,
  retry: { attempts: 3, base: '10ms', max: '20ms' },
  timeout: '500ms',
  run(_, { id, attempt }) {
    outside.write('S', id, attempt)
    return poisons[options.poison ?? 'kill']()
  },
})

const noted = (_: object, message?: string): void => outside.write('X', (message ?? '?').slice(0, 120))
const logger: Logger = { debug() {}, info() {}, warn: noted, error: noted }

async function produce(): Promise<void> {
  const queue = offload({ url: { open }, tasks: [job, poison], logger, retention })
  const known = new Set(outside.ids('P'))
  const { name = 'p', jobs = 50, keys = 0, poisons = 0, pauseMs = 2, calls = 5 } = options
  const until = Date.now() + (options.seconds ?? 3600) * 1000
  for (let at = 0; at < jobs && Date.now() < until; at += calls) {
    const ids = Array.from({ length: Math.min(calls, jobs - at) }, (_, n) => at + n)
    const fresh = ids.filter((n) => !known.has(`${name}-${n}`))
    if (fresh.length === 0) continue
    const answers = await Promise.allSettled(
      fresh.map(async (n) => {
        const id = `${name}-${n}`
        await queue.enqueue(
          n < poisons ? poison : job,
          null,
          keys === 0 ? { id } : { id, key: `k${n % keys}` },
        )
        outside.write('P', id)
      }),
    )
    for (const one of answers) if (one.status === 'rejected') outside.write('X', String(one.reason))
    await wait(pauseMs)
  }
  await queue.close()
  process.disconnect?.()
}

async function work(): Promise<void> {
  const queue = offload({ url: { open }, tasks: [job, poison], logger, retention })
  const worker = queue.work({ concurrency: options.concurrency ?? 4, lease: options.leaseMs ?? 1000 })
  process.on('message', (message) => {
    if (message === 'usage') process.send?.(process.cpuUsage())
    if (message !== 'stop') return
    void worker
      .stop()
      .then(() => queue.close())
      .then(() => process.exit(0))
  })
  process.once('disconnect', () => void process.exit(0))
}

await (options.role === 'produce' ? produce() : work())
