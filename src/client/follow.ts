import { OffloadClientError, retryAfterMs } from './error.ts'
import type { ClientEvent, ClientJob } from './job.ts'
import { asJob, isEnded } from './job.ts'
import { anyOf, isTransient, jittered, pauseAfter, sleep } from './pause.ts'
import type { Requests } from './request.ts'
import { readJob, selfOf, TRY_MS } from './request.ts'
import type { Message } from './sse.ts'
import { messageReader } from './sse.ts'

/** A stream that does not begin within this time is held back on its way. */
const BEGIN_MS = 8000
/** The server is heard from every 15 seconds, or the connection is gone. */
const SILENCE_MS = 40_000
const MOST_FAILURES = 20
const POLL_MS = 1000
/** So many looks before a stream that was refused for now is asked for again. */
const LOOKS = 5

/** How far following has come. */
interface Position {
  readonly self: string
  readonly events: string
  readonly signal: AbortSignal | undefined
  /** The last event that was told. */
  last: number | undefined
  etag: string | undefined
  /** How long to wait before coming back: the stream says it. */
  retryMs: number
  /** Looks to take at the job itself, because there is no stream. */
  looks: number
  failures: number
}

export interface FollowOptions {
  /** Goes on after this event: the `id` of the last one that you have. @default begins with `state` */
  readonly after?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * What happens to a job until it has ended: the last event has the whole job. Comes back after a cut to where it was; looks at the job itself where there is no stream.
 * @throws OffloadClientError also when the server was away 20 times in a row; the reason of the signal
 */
export async function* follow<Result>(
  server: Requests,
  job: ClientJob<Result> | string,
  { after, signal }: FollowOptions = {},
): AsyncGenerator<ClientEvent<Result>, void> {
  const { links } = typeof job === 'string' ? await server.job(job, signal) : job
  const at: Position = {
    self: selfOf(job),
    events: links.events,
    signal,
    last: after,
    etag: undefined,
    retryMs: POLL_MS,
    looks: 0,
    failures: 0,
  }
  for (;;) {
    let pause: number | undefined
    try {
      pause = yield* at.looks > 0 ? look<Result>(server, at) : listen<Result>(server, at)
    } catch (error) {
      at.failures++
      if (Number.isFinite(at.looks)) at.looks = 0
      pause =
        at.failures < MOST_FAILURES ? pauseAfter(error, at.failures, at.retryMs, Math.random()) : undefined
      if (pause === undefined) throw error
    }
    if (pause === undefined) return
    await sleep(pause, signal)
  }
}

/** Tells what a stream tells. Gives the time after which to come back; undefined when the end was told. */
async function* listen<Result>(
  server: Requests,
  at: Position,
): AsyncGenerator<ClientEvent<Result>, number | undefined> {
  const leave = new AbortController()
  let patienceMs = at.last === undefined ? BEGIN_MS : SILENCE_MS
  let begun = false
  try {
    const reader = await within(patienceMs, leave, open(server, at, leave.signal))
    at.failures = 0
    if (reader === undefined) {
      at.looks = 1
      return 0
    }
    const [decoder, messages] = [new TextDecoder(), messageReader()]
    for (;;) {
      const { done, value } = await within(patienceMs, leave, read(reader))
      if (done) return jittered(at.retryMs, Math.random())
      patienceMs = SILENCE_MS
      begun = true
      for (const message of messages(decoder.decode(value, { stream: true }))) {
        const event = take<Result>(message, at)
        if (event === undefined) continue
        yield event
        if (event.job !== undefined && isEnded(event.job)) return undefined
      }
    }
  } catch (error) {
    at.signal?.throwIfAborted()
    const isSilent = leave.signal.aborted
    if (isSilent && begun) throw new OffloadClientError('NETWORK_FAILED', 'the stream fell silent')
    if (!isSilent && (!(error instanceof OffloadClientError) || error.status === undefined)) throw error
    at.looks = !isSilent && isTransient(error as OffloadClientError) ? LOOKS : Number.POSITIVE_INFINITY
    return 0
  } finally {
    leave.abort()
  }
}

/** Looks at the job itself, and tells of it when it is not as it was. Gives the same. */
async function* look<Result>(
  server: Requests,
  at: Position,
): AsyncGenerator<ClientEvent<Result>, number | undefined> {
  at.looks--
  const { job, pauseMs } = await server.once(at.self, {
    signal: at.signal,
    tryMs: TRY_MS,
    headers: at.etag === undefined ? {} : { 'if-none-match': at.etag },
    async read(response) {
      const job = response.status === 304 ? undefined : await readJob<Result>(response)
      at.etag = response.headers.get('etag') ?? undefined
      return { job, pauseMs: retryAfterMs(response.headers.get('retry-after'), Date.now()) }
    },
  })
  at.failures = 0
  if (job !== undefined) yield { type: 'state', id: undefined, job }
  return job !== undefined && isEnded(job) ? undefined : jittered(pauseMs ?? POLL_MS, Math.random())
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** Undefined when the job has ended and there is nothing to tell that was not told. @throws HTTP_FAILED when it is no event stream that comes */
function open(server: Requests, at: Position, leave: AbortSignal): Promise<Reader | undefined> {
  return server.once(at.events, {
    signal: anyOf(at.signal, leave),
    headers: {
      accept: 'text/event-stream',
      ...(at.last === undefined ? {} : { 'last-event-id': String(at.last) }),
    },
    read({ status, headers, body }) {
      if (status === 204) return undefined
      if (body && /^text\/event-stream/i.test(headers.get('content-type') ?? '')) return body.getReader()
      throw new OffloadClientError('HTTP_FAILED', 'the server answered with what is no event stream', {
        status,
      })
    },
  })
}

async function read(reader: Reader): ReturnType<Reader['read']> {
  try {
    return await reader.read()
  } catch (cause) {
    throw new OffloadClientError('NETWORK_FAILED', 'the stream was cut', { cause })
  }
}

/** Leaves when it takes longer. */
async function within<T>(ms: number, leave: AbortController, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => leave.abort(), ms)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}

/** What a message tells that was not told before. @throws HTTP_FAILED */
function take<Result>(
  { id, event = 'state', data, retry }: Message,
  at: Position,
): ClientEvent<Result> | undefined {
  if (/^\d+$/.test(retry ?? '')) at.retryMs = Number(retry)
  if (data === undefined) return undefined
  const told = parsed(data)
  const number = /^\d+$/.test(id ?? '') ? Number(id) : undefined
  const isWhole = 'state' in told
  if (!isWhole && number !== undefined && number <= (at.last ?? -1)) return undefined
  at.last = number ?? at.last
  const { attempt, at: when, progress } = told as Step
  return isWhole
    ? { type: event as 'state', id: number, job: asJob<Result>(told, 200) }
    : { type: event as 'started', id: number, attempt, at: when, ...('progress' in told ? { progress } : {}) }
}

type Step = { readonly attempt: number; readonly at: string; readonly progress?: unknown }

function parsed(data: string): object {
  try {
    return Object(JSON.parse(data))
  } catch {
    throw new OffloadClientError('HTTP_FAILED', 'the stream holds what is no JSON', { status: 200 })
  }
}
