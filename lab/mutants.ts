import { setTimeout as wait } from 'node:timers/promises'
import type { Backend } from '../src/backend.ts'
import type { Broker } from '../src/broker.ts'
import type { Ledger } from '../src/ledger.ts'

type Mutate = (broker: Broker, ledger: Ledger) => Partial<Broker>

/** Bugs put in on purpose. `proofs.ts` says which check of the lab has to catch each. */
export const mutants = {
  'a job is acknowledged before it is stored': (broker) => ({
    async enqueue(jobs, room) {
      void wait(300)
        .then(() => broker.enqueue(jobs, room))
        .catch(() => {})
      return jobs.map(({ id }) => ({ id, status: 'queued' }))
    },
  }),
  'an end is taken from a worker that lost its lease': (broker, ledger) => ({
    async settle(settlements) {
      const { jobs } = await ledger.find({ ids: settlements.map(({ claim }) => claim.job.id), limit: 1000 })
      const fences = new Map(jobs.map(({ id, fence }) => [id, fence]))
      return broker.settle(
        settlements.map((settlement) => {
          const { job, fence } = settlement.claim
          return { ...settlement, claim: { job, fence: fences.get(job.id) ?? fence } }
        }),
      )
    },
  }),
  'a lease never ends': (broker) => ({
    claim: (queue, want) => broker.claim(queue, { ...want, leaseMs: 3_600_000 }),
    renew: (beats) => broker.renew(beats, 3_600_000),
  }),
  'a lease is never renewed': () => ({ renew: async (beats) => beats.map(() => 'held') }),
  'an end is acknowledged and not stored': (broker) => {
    let calls = 0
    return {
      settle: async (settlements) =>
        ++calls % 3 === 0 ? settlements.map(() => true) : broker.settle(settlements),
    }
  },
  'a late end is refused in silence': (broker) => ({
    async settle(settlements) {
      await broker.settle(settlements)
      return settlements.map(() => true)
    },
  }),
  'a job is tried without end': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(
        jobs.map((job) => ({ ...job, maxAttempts: 1000 })),
        room,
      ),
  }),
  'a job has but one attempt': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(
        jobs.map((job) => ({ ...job, maxAttempts: 1 })),
        room,
      ),
  }),
  'a key holds nobody back': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(
        jobs.map(({ key: _, ...job }) => job),
        room,
      ),
  }),
  'a job does not wait until it is due': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(
        jobs.map(({ runAt: _, ...job }) => job),
        room,
      ),
  }),
  'a refused job is told to be accepted': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(jobs, room).catch(() => jobs.map(({ id }) => ({ id, status: 'queued' }))),
  }),
  'a refusal has no code': (broker) => ({
    enqueue: (jobs, room) =>
      broker.enqueue(jobs, room).catch(() => {
        throw new Error('something went wrong')
      }),
  }),
  'a store that fails looks like an empty queue': (broker) => ({
    claim: (queue, want) => broker.claim(queue, want).catch(() => wait(50, [])),
    settle: (settlements) => insist(() => broker.settle(settlements)),
    renew: (beats, leaseMs) => insist(() => broker.renew(beats, leaseMs)),
  }),
  'a worker takes all that there is': (broker) => ({
    claim: (queue, want) => broker.claim(queue, { ...want, limit: 1e6 }),
  }),
  'a worker keeps what it has done': (broker) => {
    const kept: Buffer[] = []
    return {
      settle(settlements) {
        for (const _ of settlements) kept.push(Buffer.alloc(100_000, 1))
        return broker.settle(settlements)
      },
    }
  },
  /** In `openQueue` of the child. */
  'retries wait without jitter': () => ({}),
  /** In `openStore` of the child. */
  'a job is acknowledged without an fsync': () => ({}),
  /** In `connectTo`. */
  'a dead connection is never noticed': () => ({}),
} as const satisfies Record<string, Mutate>

async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch {
      await wait(50)
    }
  }
}

export type Mutant = keyof typeof mutants

export function mutated(backend: Backend, mutant: Mutant | undefined): Backend {
  if (mutant === undefined || backend.ledger === undefined) return backend
  const mutate: Mutate = mutants[mutant]
  return { ...backend, broker: { ...backend.broker, ...mutate(backend.broker, backend.ledger) } }
}
