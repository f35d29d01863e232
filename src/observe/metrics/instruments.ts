import { defaultBuckets, longBuckets } from './histogram.ts'

export type Kind = 'counter' | 'gauge' | 'histogram'

/** One thing that is measured. */
export interface Instrument {
  readonly kind: Kind
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram, in seconds. */
  readonly bounds?: readonly number[]
  /** Asked of the backend when it is read. */
  readonly isAsked?: true
  /** Of many processes the greatest value counts, not their sum. */
  readonly isGreatest?: true
}

export type InstrumentName =
  | 'offload_up'
  | 'offload_queue_jobs'
  | 'offload_queue_oldest_ready_age_seconds'
  | 'offload_queue_paused'
  | 'offload_queue_workers'
  | 'offload_jobs_accepted_total'
  | 'offload_accept_seconds'
  | 'offload_attempts_total'
  | 'offload_job_wait_seconds'
  | 'offload_job_run_seconds'
  | 'offload_settle_seconds'
  | 'offload_workers'
  | 'offload_worker_slots'
  | 'offload_worker_running_jobs'
  | 'offload_worker_buffered_jobs'
  | 'offload_worker_unsettled_jobs'
  | 'offload_backend_troubles_total'
  | 'offload_backend_reconnects_total'
  | 'offload_event_loop_delay_seconds'
  | 'offload_http_request_seconds'

/** Everything that is measured, by its name at Prometheus. Units are seconds and jobs; no label holds an id. */
export const instruments: Readonly<Record<InstrumentName, Instrument>> = {
  offload_up: {
    kind: 'gauge',
    help: 'Whether the backend answered when this was read: 1, or 0; then what is asked of it is missing',
    labels: [],
    isAsked: true,
  },
  offload_queue_jobs: {
    kind: 'gauge',
    help: 'Jobs in a queue: ready, running, scheduled, dead. Every process tells the same',
    labels: ['queue', 'state'],
    isAsked: true,
  },
  offload_queue_oldest_ready_age_seconds: {
    kind: 'gauge',
    help: 'Since the acceptance of the oldest job that could start now; 0 when there is none',
    labels: ['queue'],
    isAsked: true,
  },
  offload_queue_paused: {
    kind: 'gauge',
    help: 'Whether a queue is paused: 1, or 0',
    labels: ['queue'],
    isAsked: true,
  },
  offload_queue_workers: {
    kind: 'gauge',
    help: 'Workers of this process that claim from a queue',
    labels: ['queue'],
  },
  offload_jobs_accepted_total: {
    kind: 'counter',
    help: 'Jobs that were sent to the backend, by what it answered: queued, duplicate, full, mismatch, taken, tooLarge, or failed where it answered nothing or something is wrong with the queue',
    labels: ['queue', 'task', 'answer'],
  },
  offload_accept_seconds: {
    kind: 'histogram',
    help: 'How long the backend took to accept the jobs of one call',
    labels: [],
    bounds: defaultBuckets,
  },
  offload_attempts_total: {
    kind: 'counter',
    help: 'Attempts that ended here, by how: done, retry, snooze, release, dead, cancelled, or lost with its lease',
    labels: ['queue', 'task', 'outcome'],
  },
  offload_job_wait_seconds: {
    kind: 'histogram',
    help: 'From when a job could start to the start of its first attempt',
    labels: ['queue', 'task'],
    bounds: longBuckets,
  },
  offload_job_run_seconds: {
    kind: 'histogram',
    help: 'How long handlers ran, of every attempt',
    labels: ['queue', 'task'],
    bounds: longBuckets,
  },
  offload_settle_seconds: {
    kind: 'histogram',
    help: 'From the end of a handler until that was stored',
    labels: [],
    bounds: defaultBuckets,
  },
  offload_workers: {
    kind: 'gauge',
    help: 'Workers of this process: running, degraded (it cannot reach its backend), stopping',
    labels: ['state'],
  },
  offload_worker_slots: {
    kind: 'gauge',
    help: 'Handlers that may run at once in this process',
    labels: [],
  },
  offload_worker_running_jobs: {
    kind: 'gauge',
    help: 'Handlers that run now in this process',
    labels: [],
  },
  offload_worker_buffered_jobs: {
    kind: 'gauge',
    help: 'Jobs that this process has claimed ahead',
    labels: [],
  },
  offload_worker_unsettled_jobs: {
    kind: 'gauge',
    help: 'Jobs that ended in this process and are not stored yet',
    labels: [],
  },
  offload_backend_troubles_total: {
    kind: 'counter',
    help: 'How often a worker lost its backend',
    labels: [],
  },
  offload_backend_reconnects_total: {
    kind: 'counter',
    help: 'How often a worker had its backend back',
    labels: [],
  },
  offload_event_loop_delay_seconds: {
    kind: 'gauge',
    help: 'How late the event loop was in the last one to two minutes: quantiles, 1 is the worst',
    labels: ['quantile'],
    isGreatest: true,
  },
  offload_http_request_seconds: {
    kind: 'histogram',
    help: 'How long the routes of Offload took to answer',
    labels: ['method', 'route', 'status'],
    bounds: defaultBuckets,
  },
}

export const instrumentNames: readonly InstrumentName[] = Object.keys(instruments) as InstrumentName[]
