import type { Depth } from '../../broker.ts'
import { Asking } from '../asking.ts'
import type { Observed, Observer } from '../observer.ts'
import { isServing } from '../serving.ts'
import type { Histogram } from './histogram.ts'
import type { InstrumentName } from './instruments.ts'
import { instruments } from './instruments.ts'
import { LoopDelays } from './loop-delays.ts'
import { Tally } from './tally.ts'

export type Labels = Readonly<Record<string, string>>

/** One value of an instrument. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** One histogram of an instrument. */
export interface Spread {
  readonly labels: Labels
  readonly histogram: Histogram
}

/** Counts what happens in one process, and tells it by the names of the instruments. */
export class Measures {
  readonly #tally: Tally
  readonly #loop = new LoopDelays()
  #observed: Observed | undefined
  #asking: Asking | undefined

  constructor(most: number) {
    this.#tally = new Tally(most)
  }

  /** What is told to it. */
  get observer(): Observer {
    const tally = this.#tally
    return {
      attach: (observed) => {
        this.#observed = observed
        this.#asking = new Asking(observed)
        this.#loop.begin()
      },
      answered: (told) => tally.answered(told),
      ended: (told) => tally.ended(told),
      troubled: (told) => tally.troubled(told),
      requested: (told) => tally.requested(told),
      close: () => this.#loop.end(),
    }
  }

  /** The names that a job is counted under, which are bounded. */
  labelsOf(queue: string, task: string): Labels {
    return this.#tally.of(queue, task).labels
  }

  /** The values of a counter or gauge. Never rejects, and waits for a backend for a second at most. */
  async samples(name: InstrumentName): Promise<readonly Sample[]> {
    return instruments[name].isAsked ? this.#asked(name) : this.#own(name)
  }

  /** The values of a histogram. */
  spreads(name: InstrumentName): readonly Spread[] {
    const { tasks, routes, accept, settle } = this.#tally
    switch (name) {
      case 'offload_accept_seconds':
        return [{ labels: {}, histogram: accept }]
      case 'offload_settle_seconds':
        return [{ labels: {}, histogram: settle }]
      case 'offload_job_wait_seconds':
        return tasks.map(({ labels, wait }) => ({ labels, histogram: wait }))
      case 'offload_job_run_seconds':
        return tasks.map(({ labels, run }) => ({ labels, histogram: run }))
      case 'offload_http_request_seconds':
        return Array.from(routes, ({ method, route, status, times }) => ({
          labels: { method, route, status: String(status) },
          histogram: times,
        }))
      default:
        return []
    }
  }

  async #asked(name: InstrumentName): Promise<readonly Sample[]> {
    const asked = await this.#asking?.depths()
    const depths = asked !== undefined && 'depths' in asked ? asked.depths : undefined
    if (name === 'offload_up') return [sample(depths === undefined ? 0 : 1)]
    return (depths ?? []).flatMap((depth) => ofQueue(name, depth))
  }

  #own(name: InstrumentName): readonly Sample[] {
    const { tasks, troubles, reconnects } = this.#tally
    const workers = this.#observed?.workers() ?? []
    const sumOf = (count: 'slots' | 'running' | 'buffered' | 'unsettled'): Sample[] => [
      sample(workers.reduce((sum, worker) => sum + (worker.state === 'stopped' ? 0 : worker[count]), 0)),
    ]
    switch (name) {
      case 'offload_jobs_accepted_total':
        return tasks.flatMap(({ labels, answers }) =>
          seen(answers).map(([answer, count]) => sample(count, { ...labels, answer })),
        )
      case 'offload_attempts_total':
        return tasks.flatMap(({ labels, outcomes }) =>
          seen(outcomes).map(([outcome, count]) => sample(count, { ...labels, outcome })),
        )
      case 'offload_backend_troubles_total':
        return [sample(troubles)]
      case 'offload_backend_reconnects_total':
        return [sample(reconnects)]
      case 'offload_workers':
        return (['running', 'degraded', 'stopping'] as const).map((state) =>
          sample(workers.filter((worker) => worker.state === state).length, { state }),
        )
      case 'offload_queue_workers': {
        const serving = workers.filter(isServing)
        const queues = Map.groupBy(
          serving.flatMap((worker) => worker.queues),
          (queue) => queue,
        )
        return Array.from(queues, ([queue, all]) => sample(all.length, { queue }))
      }
      case 'offload_worker_slots':
        return sumOf('slots')
      case 'offload_worker_running_jobs':
        return sumOf('running')
      case 'offload_worker_buffered_jobs':
        return sumOf('buffered')
      case 'offload_worker_unsettled_jobs':
        return sumOf('unsettled')
      case 'offload_event_loop_delay_seconds':
        return this.#delays()
      default:
        return []
    }
  }

  #delays(): readonly Sample[] {
    const { p50, p99, worst } = this.#loop.read()
    return [
      sample(p50, { quantile: '0.5' }),
      sample(p99, { quantile: '0.99' }),
      sample(worst, { quantile: '1' }),
    ]
  }
}

function sample(value: number, labels: Labels = {}): Sample {
  return { labels, value }
}

/** Told as soon as anything of a task is, so that their rates begin at nothing: a counter that comes to be at 1 has not grown. */
const FROM_THE_START = new Set(['queued', 'done', 'retry', 'dead', 'lost'])

/** Those that there were, and what alerts ask about. */
function seen(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).filter(([name, count]) => count > 0 || FROM_THE_START.has(name))
}

/** A number that the backend cannot tell is missing, never 0. */
function ofQueue(name: InstrumentName, depth: Depth): readonly Sample[] {
  const { queue, ready, oldestAgeMs, paused } = depth
  switch (name) {
    case 'offload_queue_jobs':
      return (['ready', 'running', 'scheduled', 'dead'] as const).flatMap((state) => {
        const count = depth[state]
        return count === null ? [] : [sample(count, { queue, state })]
      })
    case 'offload_queue_oldest_ready_age_seconds':
      if (oldestAgeMs !== null) return [sample(oldestAgeMs / 1000, { queue })]
      return ready === 0 ? [sample(0, { queue })] : []
    case 'offload_queue_paused':
      return [sample(paused ? 1 : 0, { queue })]
    default:
      return []
  }
}
