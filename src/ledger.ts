import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from './broker.ts'
import type { Job, JobRecord, JobState } from './job/job.ts'
import type { Settlement } from './job/state.ts'

/** Remembers jobs: state, attempts, result, events. It owns the lease and the fencing token of every claim. */
export interface Ledger {
  /** Durably remembers each job or says why not; an answer per job, in order. */
  record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]>
  /**
   * Takes the most urgent jobs that may start now; empty when there is none. Never waits. Where a message broker is joined it
   * spends `limit` messages, whichever jobs it takes (see `outbox`).
   */
  claim(queue: string, want: Want): Promise<readonly Claim[]>
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>
  renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]>
  /**
   * Marks what a message broker has taken, and answers what can start now and is due to be published; nothing of a paused
   * queue. From the first call on, each job that can start is owed a message until one may be out for it. A claim spends the
   * messages of the jobs that it takes; as many as it spends beyond those were meant for others, of which so many are owed one
   * again. So no more jobs wait with a message out than there are messages.
   */
  outbox(want: OutboxWant): Promise<readonly Job[]>
  /** Jobs that fit, newest first (by acceptance), a page at a time. */
  find(query: FindQuery): Promise<Page>
  /** What is in the queues that are named, in their order; else in each that ever had a job or is paused, by name. */
  depth(queues?: readonly string[]): Promise<readonly Depth[]>
  act(action: Action): Promise<Acted>
  /**
   * Events in order from after `after` (from now when undefined), in batches, until `signal` aborts. With
   * `only`, those of one type; gaps are told all the same.
   */
  watch(
    after: number | undefined,
    signal: AbortSignal,
    only?: JobEventType,
  ): AsyncIterable<readonly JobEvent[]>
  close(): Promise<void>
}

export interface OutboxWant {
  /** Ids that the broker has confirmed: no message of theirs is owed any more, unless they began to be owed one since. */
  readonly published: readonly string[]
  /** Answer at most so many jobs. */
  readonly limit: number
  /** A message may be out for an answered job; it is answered again after so long unless it is marked. */
  readonly againMs: number
  readonly lost?: LostMessages
}

/**
 * The broker has so many messages of a queue (null: it cannot tell). By as many as are out beyond that, jobs are owed one again:
 * of those answered before the instant, or after now, for a clock may be set back. Where it cannot tell, one of them is.
 */
export interface LostMessages {
  readonly queue: string
  readonly messages: number | null
  readonly before: number
}

export interface FindQuery {
  readonly ids?: readonly string[]
  readonly queue?: string
  readonly state?: JobState
  readonly task?: string
  readonly key?: string
  readonly tenant?: string
  /** Accepted at or after, and before (ms). */
  readonly from?: number
  readonly to?: number
  /** 1 to 1000; 100 unless told otherwise. */
  readonly limit?: number
  /** `next` of the page before. */
  readonly cursor?: string
}

export interface Page {
  readonly jobs: readonly JobRecord[]
  /** Pass it as `cursor` for the next page; undefined at the end. */
  readonly next?: string
  /** The number of the last event when this was read: `watch(eventId)` misses nothing that is not in it. */
  readonly eventId: number
}

/** Which ended jobs a bulk action means. */
export interface DeadFilter {
  readonly queue?: string
  readonly task?: string
  readonly ids?: readonly string[]
}

/** A bulk action does at most `limit` jobs a call; its caller repeats it until fewer were done. */
export type Action =
  | { readonly type: 'cancel'; readonly ids: readonly string[] }
  | { readonly type: 'retry'; readonly ids: readonly string[] }
  | { readonly type: 'redrive'; readonly filter: DeadFilter; readonly before: number; readonly limit: number }
  | { readonly type: 'purge'; readonly filter: DeadFilter; readonly before: number; readonly limit: number }
  | { readonly type: 'pause' | 'resume'; readonly queue: string }
  /** Waiting and dead jobs that another store has now: nothing is told, and nothing follows. `refused`: it runs, or has ended. */
  | { readonly type: 'forget'; readonly ids: readonly string[] }

export type ActVerdict = 'done' | 'cancelling' | 'ended' | 'refused' | 'unknown'

export interface Acted {
  /** How many jobs were changed. */
  readonly count: number
  /** For actions by id, one verdict per id, in order. */
  readonly verdicts: readonly ActVerdict[]
}

/** Stores may keep the position: only ever add at the end. */
export const jobEventTypes = [
  'accepted',
  'queued',
  'started',
  'progress',
  'retrying',
  'snoozed',
  'released',
  'cancelling',
  'done',
  'dead',
  'cancelled',
  'revived',
  'gap',
] as const

export type JobEventType = (typeof jobEventTypes)[number]

/** Something that happened to a job. `eventId` grows by one an event. `gap`: events before this one are gone. */
export interface JobEvent {
  readonly eventId: number
  readonly type: JobEventType
  readonly at: number
  readonly jobId: string
  readonly queue: string
  readonly task: string
  readonly attempt: number
  /** JSON text: the progress of a `progress` event. */
  readonly data?: string
}
