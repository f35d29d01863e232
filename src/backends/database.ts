import type { Backend } from '../backend.ts'
import type { Broker, Depth, Features } from '../broker.ts'
import type { Documents } from '../documents.ts'
import { OffloadError } from '../job/errors.ts'
import type { JobEvent, JobEventType, Ledger } from '../ledger.ts'
import type { Wake } from './wake.ts'
import { eventsOf, jobsIn } from './wake.ts'

/** How long a lost hint can cost. */
const POLL_MS = 250

/** Makes a backend of a ledger alone: a database needs no second server to move jobs, only somebody to wake its workers. */
export function databaseBackend(
  name: string,
  features: Features,
  ledger: Ledger & { readonly documents: Documents },
  wake: Wake,
): Backend {
  const broker: Broker = {
    name,
    features,
    enqueue: (jobs, room) => ledger.record(jobs, room),
    async claim(queue, want) {
      while (!want.signal.aborted) {
        const listening = wake.listen(jobsIn(queue), POLL_MS, want.signal)
        try {
          const claims = await ledger.claim(queue, want)
          if (claims.length > 0) return claims
          want.onWaiting?.()
          await listening.hint
        } finally {
          listening.stop()
        }
      }
      return []
    },
    settle: (settlements) => ledger.settle(settlements),
    renew: (beats, leaseMs) => ledger.renew(beats, leaseMs),
    depth: (queue) => depthIn(ledger, queue),
    close: () => ledger.close(),
  }
  return { broker, ledger, documents: ledger.documents, close: () => ledger.close() }
}

export async function depthIn(ledger: Ledger, queue: string): Promise<Depth> {
  const [depth] = await ledger.depth([queue])
  if (depth === undefined) throw new Error(`the ledger told nothing of queue "${queue}"`)
  return depth
}

/** Events after a number: `next` continues, `gap` says that some in between are gone. */
export interface EventsPage {
  readonly events: readonly JobEvent[]
  readonly next: number
  readonly gap: boolean
}

/** Builds `Ledger.watch` on a way to read events, woken by hints, with a poll beneath. */
export async function* watchEvents(
  read: (after: number | undefined) => EventsPage | Promise<EventsPage>,
  wake: Wake,
  after: number | undefined,
  signal: AbortSignal,
  only?: JobEventType,
): AsyncGenerator<readonly JobEvent[]> {
  let position = after
  while (!signal.aborted) {
    const listening = wake.listen(eventsOf(only), POLL_MS, signal)
    try {
      const page = await read(position)
      const isNew = page.next !== position
      position = page.next
      if (page.gap) yield [gapBefore(page)]
      if (page.events.length > 0) yield page.events
      else if (!isNew) await listening.hint
    } finally {
      listening.stop()
    }
  }
}

function gapBefore(page: EventsPage): JobEvent {
  const first = page.events[0]
  return {
    eventId: (first?.eventId ?? page.next + 1) - 1,
    type: 'gap',
    at: first?.at ?? 0,
    jobId: '',
    queue: '',
    task: '',
    attempt: 0,
  }
}

/** The number in a cursor of `find`. @throws OPTION_INVALID */
export function cursorOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new OffloadError('OPTION_INVALID', 'cursor must be `next` of the page before')
}
