import { OffloadError } from '../job/errors.ts'
import type { JobState } from '../job/job.ts'
import { isEnded } from '../job/job.ts'
import { decode } from '../job/payload.ts'
import type { JobEvent } from '../ledger.ts'
import type { JobView } from '../reading/view.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import { Channel } from './channel.ts'
import type { LinkMaker, Links } from './links.ts'
import { jobResource } from './status.ts'

/** How long a browser waits before it comes back. */
const RETRY_MS = 3000
const HEARTBEAT_MS = 15_000
/** Characters that a slow reader may leave untaken. */
const MOST_UNTAKEN = 65_536
const DEFAULT_MOST_STREAMS = 20_000

/** What following needs of a queue. */
export interface Follows {
  get(id: string): Promise<JobView | undefined>
  follow(id: string, after: number, listener: (event: JobEvent) => void): Promise<() => void>
}

/**
 * Server-Sent Events of jobs (https://html.spec.whatwg.org/multipage/server-sent-events.html). However many listen, the
 * ledger is watched once. `id:` is the number of the event in the ledger: it grows in each stream.
 *
 * A stream begins with `state` (the job resource), or goes on after `Last-Event-ID`; where events in between are gone it
 * begins anew with `reset` (the job resource too). It ends with the job.
 */
export class EventStreams {
  readonly #queue: Follows
  readonly #links: LinkMaker
  readonly #views: Views
  readonly #most: number
  readonly #open = new Set<Session>()
  #heart: NodeJS.Timeout | undefined

  constructor(queue: Follows, links: LinkMaker, most: number = DEFAULT_MOST_STREAMS) {
    this.#queue = queue
    this.#links = links
    this.#views = new Views(queue)
    this.#most = most
  }

  /** `GET /jobs/{id}/events`. 204 tells a browser to stop: the job has ended and it has been told. */
  async answer(job: JobView, ask: Ask): Promise<Answer> {
    if (this.#open.size >= this.#most)
      throw new OffloadError('QUEUE_FULL', 'too many streams are open', { retryAfterMs: 5000 })
    const after = lastEventId(ask)
    const session = new Session(job.id, this.#views, this.#links.seenBy(job.id, ask.query))
    // A number that is still to come is of another ledger than this one, or made up.
    const isAhead = after !== undefined && after > job.eventId
    if (after === undefined || isAhead) session.begin(isAhead ? 'reset' : 'state', job)
    const from = after === undefined || isAhead ? job.eventId : after
    if (!session.channel.isEnded)
      session.onEnd(await this.#queue.follow(job.id, from, (event) => session.tell(event)))
    if (isEnded(job.state) && session.isSilent) {
      session.channel.end()
      return { status: 204, headers: { 'cache-control': 'no-store' }, body: undefined }
    }
    this.#keep(session)
    return { status: 200, headers: streamHeaders, body: session.channel }
  }

  /** Ends every stream, so that a server can close; clients come back elsewhere, to where they were. */
  close(): void {
    for (const { channel } of this.#open) channel.end()
  }

  #keep(session: Session): void {
    this.#open.add(session)
    this.#heart ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    session.onEnd(() => {
      this.#open.delete(session)
      if (this.#open.size > 0) return
      clearInterval(this.#heart)
      this.#heart = undefined
    })
  }

  /** Proxies close what is silent, and a connection that is gone is noticed only when something is sent. */
  #beat(): void {
    for (const { channel } of this.#open) channel.push(':\n\n')
  }
}

const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/** Browsers send the header when they come back; the query is for clients that cannot set one. */
function lastEventId(ask: Ask): number | undefined {
  const last = ask.header('last-event-id') ?? ask.query.get('lastEventId') ?? ''
  return /^\d{1,15}$/.test(last) ? Number(last) : undefined
}

/** One job, read once for all the streams that tell of it at that moment. */
class Views {
  readonly #queue: Follows
  readonly #asked = new Map<string, Promise<JobView | undefined>>()

  constructor(queue: Follows) {
    this.#queue = queue
  }

  of(id: string): Promise<JobView | undefined> {
    let asked = this.#asked.get(id)
    if (asked === undefined) {
      asked = this.#queue.get(id)
      this.#asked.set(id, asked)
      void asked.catch(() => undefined).then(() => this.#asked.delete(id))
    }
    return asked
  }
}

/** What one client is told of one job. */
class Session {
  readonly channel: Channel
  readonly #jobId: string
  readonly #views: Views
  readonly #links: Links
  readonly #ends: (() => void)[] = []
  #told = -1
  /** What came while the ledger was asked how the job stands. */
  #held: JobEvent[] | undefined

  constructor(jobId: string, views: Views, links: Links) {
    this.#jobId = jobId
    this.#views = views
    this.#links = links
    this.channel = new Channel(MOST_UNTAKEN, () => {
      for (const end of this.#ends) end()
    })
  }

  get isSilent(): boolean {
    return this.#told === -1 && this.#held === undefined
  }

  onEnd(end: () => void): void {
    if (this.channel.isEnded) end()
    else this.#ends.push(end)
  }

  begin(name: 'state' | 'reset' | JobState, job: JobView): void {
    this.#send(name, job.eventId, JSON.stringify(jobResource(job, this.#links)))
    if (isEnded(job.state)) this.channel.end()
  }

  tell(event: JobEvent): void {
    if (this.#held !== undefined) this.#held.push(event)
    else if (event.type === 'gap' || (event.eventId > this.#told && isEnding(event))) this.#look(event)
    else if (event.eventId > this.#told) this.#send(event.type, event.eventId, textOf(event))
  }

  /** An end is told with all that the job came to, a gap with how the job stands; what comes meanwhile is told after it. */
  #look(event: JobEvent, held: JobEvent[] = []): void {
    this.#held = held
    this.#views
      .of(this.#jobId)
      .then((job) => {
        if (job === undefined) return this.channel.end()
        // One who looked a little earlier may have been answered with what was before.
        if (job.eventId < event.eventId) return this.#look(event, held)
        this.#held = undefined
        this.begin(event.type === 'gap' || !isEnded(job.state) ? 'reset' : job.state, job)
        for (const one of held) this.tell(one)
      })
      .catch(() => this.channel.end())
  }

  #send(name: string, eventId: number, data: string): void {
    const isFirst = this.#told === -1
    this.#told = Math.max(this.#told, eventId)
    this.channel.push(
      `${isFirst ? `retry: ${RETRY_MS}\n` : ''}id: ${this.#told}\nevent: ${name}\ndata: ${data}\n\n`,
    )
  }
}

function isEnding({ type }: JobEvent): boolean {
  return type === 'done' || type === 'dead' || type === 'cancelled'
}

const texts = new WeakMap<JobEvent, string>()

/** Made once, however many are told. JSON text has no line ends of its own. */
function textOf(event: JobEvent): string {
  let text = texts.get(event)
  if (text === undefined) {
    const { jobId: id, type, attempt, at, data } = event
    const progress = data === undefined ? undefined : decode(data)
    text = JSON.stringify({ id, type, attempt, at: new Date(at).toISOString(), progress })
    texts.set(event, text)
  }
  return text
}
