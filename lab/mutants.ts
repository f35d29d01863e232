import { setTimeout as wait } from 'node:timers/promises'
import type { Backend } from '../src/backend.ts'
import type { Broker } from '../src/broker.ts'
import type { Ledger } from '../src/ledger.ts'

type Mutate = (broker: Broker, ledger: Ledger) => Partial<Broker>

/** Bugs put in on purpose, each with the check of the lab that has to catch it. */
export const mutants = {
  'a job is acknowledged before it is stored': {
    caughtBy: 'lost',
    mutate: (broker) => ({
      async enqueue(jobs, room) {
        void wait(50).then(() => broker.enqueue(jobs, room))
        return jobs.map(({ id }) => ({ id, status: 'queued' }))
      },
    }),
  },
  'an end is taken from a worker that lost its lease': {
    caughtBy: 'staleEnds',
    mutate: (broker, ledger) => ({
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
  },
  'a lease never ends': {
    caughtBy: 'stuck',
    mutate: (broker) => ({
      claim: (queue, want) => broker.claim(queue, { ...want, leaseMs: 3_600_000 }),
      renew: (beats) => broker.renew(beats, 3_600_000),
    }),
  },
  'an end is acknowledged and not stored': {
    caughtBy: 'finishedTwice',
    mutate: (broker) => {
      let calls = 0
      return {
        settle: async (settlements) =>
          ++calls % 3 === 0 ? settlements.map(() => true) : broker.settle(settlements),
      }
    },
  },
} as const satisfies Record<string, { caughtBy: string; mutate: Mutate }>

export type Mutant = keyof typeof mutants

export function mutated(backend: Backend, mutant: Mutant | undefined): Backend {
  if (mutant === undefined || backend.ledger === undefined) return backend
  const mutate: Mutate = mutants[mutant].mutate
  return { ...backend, broker: { ...backend.broker, ...mutate(backend.broker, backend.ledger) } }
}
