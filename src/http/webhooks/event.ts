import { createHash } from 'node:crypto'
import { contentOf } from '../../job/content.ts'
import type { EndedJob } from '../../job/follow-up.ts'
import { LinkMaker } from '../links.ts'
import { faultProblem } from '../status.ts'

/** The body of a webhook. Times are ISO 8601. */
export interface WebhookEvent {
  readonly type: EventType
  /** When the job ended. */
  readonly timestamp: string
  readonly data: EndedJobResource
}

export type EventType = 'job.done' | 'job.dead' | 'job.cancelled'

/** An ended job as its receiver may see it: never its input, never a stack. */
export interface EndedJobResource {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: EndedJob['state']
  readonly attempt: number
  readonly createdAt: string
  readonly endedAt: string
  readonly tenant?: string
  /** Of a done job; left out when it is no JSON, or when the webhook would be larger than 20 kB with it. */
  readonly result?: unknown
  /** Where a result that was left out can be read. */
  readonly resultUrl?: string
  /** Of a dead job: a problem document (RFC 9457). */
  readonly error?: object
  readonly links?: { readonly self: string; readonly result?: string }
}

export interface EventOptions {
  /** Where the job routes are found from outside. */
  readonly base: string | undefined
  readonly envelope: 'standard' | 'cloudevents'
  /** `ce-source` of CloudEvents. */
  readonly source: string
}

/** What is sent, the same for every attempt. */
export interface Message {
  readonly id: string
  readonly type: EventType
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

const MAX_BODY = 20_000
const MAX_DETAIL = 1000

export const eventTypes: readonly EventType[] = ['job.done', 'job.dead', 'job.cancelled']

export function typeOf(ended: EndedJob): EventType {
  return `job.${ended.state}`
}

/** The message that tells of this end, for the delivery with this job id. */
export function messageOf(ended: EndedJob, deliveryId: string, options: EventOptions): Message {
  const whole = bodyOf(ended, options, true)
  const body = whole.length < MAX_BODY ? whole : bodyOf(ended, options, false)
  const id = messageId(deliveryId)
  const headers = options.envelope === 'standard' ? {} : cloudEventHeaders(ended, id, options.source)
  return { id, type: typeOf(ended), body, headers: { 'content-type': 'application/json', ...headers } }
}

/** `msg_` and the id of the job that delivers: the same on every attempt, and without a dot, which the signature may not hold. */
function messageId(deliveryId: string): string {
  const isPlain = /^[0-9a-z]+(\.[0-9a-z]+)*$/.test(deliveryId)
  if (isPlain) return `msg_${deliveryId.replaceAll('.', '_')}`
  return `msg_${createHash('sha256').update(deliveryId).digest('base64url')}`
}

function bodyOf(ended: EndedJob, options: EventOptions, withResult: boolean): Buffer {
  const data = resourceOf(ended, options.base, withResult)
  const event: WebhookEvent = { type: typeOf(ended), timestamp: data.endedAt, data }
  return Buffer.from(JSON.stringify(options.envelope === 'cloudevents' ? data : event))
}

function resourceOf(ended: EndedJob, base: string | undefined, withResult: boolean): EndedJobResource {
  const { id, task, queue, state, attempt, tenant, error } = ended
  const links = base === undefined ? undefined : new LinkMaker(base).of(id)
  const isDone = state === 'done'
  const hasResult = withResult && ended.resultLength === undefined && contentOf(ended.result) === undefined
  return {
    id,
    task,
    queue,
    state,
    attempt,
    createdAt: new Date(ended.createdAt).toISOString(),
    endedAt: new Date(ended.endedAt).toISOString(),
    ...(tenant === undefined ? {} : { tenant }),
    ...(isDone && hasResult ? { result: ended.result ?? null } : {}),
    ...(isDone && !hasResult && links !== undefined ? { resultUrl: links.result } : {}),
    ...(state === 'dead' && error !== undefined ? { error: faultProblem(shortened(error)) } : {}),
    ...(links === undefined
      ? {}
      : { links: { self: links.self, ...(isDone ? { result: links.result } : {}) } }),
  }
}

function shortened({ code, message }: NonNullable<EndedJob['error']>): NonNullable<EndedJob['error']> {
  return { code, message: message.slice(0, MAX_DETAIL).toWellFormed() }
}

/** CloudEvents 1.0.2, binary mode: the body is the data alone, and the rest is in headers. */
function cloudEventHeaders(ended: EndedJob, id: string, source: string): Readonly<Record<string, string>> {
  const attributes = {
    specversion: '1.0',
    id,
    source,
    type: `offload.${typeOf(ended)}`,
    time: new Date(ended.endedAt).toISOString(),
    subject: ended.id,
  }
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`ce-${name}`, percentEncoded(value)]),
  )
}

/** Space, `"`, `%` and all that is not printable ASCII, as the HTTP binding of CloudEvents says. */
export function percentEncoded(value: string): string {
  return value
    .toWellFormed()
    .replace(/[^\x21-\x7e]|["%]/gu, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
        .join(''),
    )
}
