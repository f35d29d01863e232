import { randomFillSync } from 'node:crypto'
import type { ConsumeMessage, Options } from 'amqplib'
import { idMaker } from '../../job/id.ts'
import type { Job, JobFault } from '../../job/job.ts'
import { NORMAL_PRIORITY } from '../../job/priority.ts'
import { isPack, unpacked } from './pack.ts'

/** Who published it: `offload` a job, `offload/ledger` one that a ledger has too. Anything else is a stranger's. */
export type Publisher = 'offload' | 'offload/ledger'

/** What goes over the wire. */
export interface Content {
  readonly body: Buffer
  readonly properties: Options.Publish
}

/** A job as it was received. */
export interface Received {
  readonly job: Job
  /** Attempts that were begun before this delivery. */
  readonly attempts: number
  /** A ledger has it too. */
  readonly isRemembered: boolean
  /** Why it cannot be read. */
  readonly malformed?: string
}

/** What the messages of one routing key of a stranger's exchange are. */
export interface Route {
  readonly exchange: string
  readonly key: string
  readonly task: string
  readonly queue: string
  readonly priority: number
  readonly maxAttempts: number
}

const PREFIX = 'offload-'
/** Trace context that travels under its own names, for programs in any language. */
const W3C = ['traceparent', 'tracestate', 'baggage']
const MAX_ATTEMPTS = 5
/** Characters of a trace, names and all. */
const LONGEST_TRACE = 2048
const LAST_INSTANT = 253_402_300_799_999
const USABLE_ID = /^[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/
const newId = idMaker((into) => void randomFillSync(into))
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** One job in one message: the payload is the body, all else is in properties and headers. */
export function contentOf(job: Job, attempts: number, publisher: Publisher): Content {
  return {
    body: Buffer.from(job.payload),
    properties: {
      ...propertiesOf(job, publisher),
      contentType: 'application/json',
      correlationId: job.id,
      type: job.task,
      priority: job.priority,
      headers: headersOf(job, attempts),
    },
  }
}

/** Of every message of ours. @param job its first */
export function propertiesOf(job: Job, publisher: Publisher): Options.Publish {
  return {
    messageId: job.id,
    appId: publisher,
    persistent: true,
    timestamp: Math.floor(job.createdAt / 1000),
    mandatory: true,
  }
}

function headersOf(job: Job, attempts: number): Record<string, unknown> {
  const headers: Record<string, unknown> = {
    'offload-created-at': job.createdAt,
    'offload-max-attempts': job.maxAttempts,
  }
  if (attempts > 0) headers['offload-attempts'] = attempts
  if (job.runAt !== undefined) headers['offload-run-at'] = job.runAt
  if (job.deadline !== undefined) headers['offload-deadline'] = job.deadline
  if (job.key !== undefined) headers['offload-key'] = job.key
  if (job.tenant !== undefined) headers['offload-tenant'] = job.tenant
  for (const [name, value] of Object.entries(job.trace ?? {}))
    headers[W3C.includes(name) ? name : `offload-trace-${name}`] = value
  return headers
}

/** What a dead letter says of its end, for people and for other programs. */
export function deathOf(fault: JobFault): Record<string, unknown> {
  const { code, name, message, attempt, at } = fault
  return {
    'offload-fault-code': code,
    'offload-fault-name': name,
    'offload-fault-message': message.slice(0, 1000),
    'offload-attempts': attempt,
    'offload-ended-at': at,
  }
}

/** The jobs of a message. What a stranger sent is taken as well as can be; what cannot be read is said. */
export function received(
  message: ConsumeMessage,
  queue: string,
  routes: readonly Route[],
  now: number,
): readonly Received[] {
  const { properties, fields, content } = message
  const isRemembered = properties.appId === 'offload/ledger'
  const redelivered = redeliveries(message)
  if (isPack(properties))
    return unpacked(message, queue, redelivered).map((one) => ({ ...one, isRemembered }))
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? {}
  const route = routes.find((one) => one.exchange === fields.exchange && one.key === fields.routingKey)
  const { payload, malformed } = payloadOf(content)
  const priority = whole(properties.priority, 0, 9) ?? route?.priority ?? NORMAL_PRIORITY
  const job: Job = {
    id: idOf(properties.messageId),
    task: route?.task ?? text(properties.type, 120) ?? text(fields.routingKey, 120) ?? 'unknown',
    queue,
    payload,
    priority,
    createdAt: instant(headers['offload-created-at']) ?? secondsOf(properties.timestamp) ?? now,
    maxAttempts: whole(headers['offload-max-attempts'], 1) ?? route?.maxAttempts ?? MAX_ATTEMPTS,
    ...optional('key', text(headers['offload-key'], 200)),
    ...optional('tenant', some(headers['offload-tenant'], 200)),
    ...optional('runAt', instant(headers['offload-run-at'])),
    ...optional('deadline', instant(headers['offload-deadline'])),
    ...optional('trace', traceOf(headers)),
  }
  const attempts = (whole(headers['offload-attempts']) ?? 0) + redelivered
  return [{ job, attempts, isRemembered, ...optional('malformed', malformed) }]
}

/** How often it was delivered before and came back; a quorum queue counts. */
function redeliveries({ properties, fields }: ConsumeMessage): number {
  return whole(properties.headers?.['x-delivery-count']) ?? (fields.redelivered ? 1 : 0)
}

function payloadOf(content: Buffer): { payload: string; malformed?: string } {
  try {
    return { payload: utf8.decode(content) }
  } catch {
    // With what makes it no JSON: some base64 is.
    return {
      payload: `base64:${content.toString('base64')}`,
      malformed: 'the body is not UTF-8; it is kept in base64',
    }
  }
}

function idOf(messageId: unknown): string {
  return typeof messageId === 'string' && USABLE_ID.test(messageId) ? messageId : newId(Date.now())
}

function secondsOf(timestamp: unknown): number | undefined {
  const seconds = whole(timestamp)
  return seconds === undefined ? undefined : instant(seconds * 1000)
}

/** What is longer than any trace may be is left out. */
function traceOf(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> | undefined {
  let left = LONGEST_TRACE
  const trace = Object.entries(headers).flatMap(([header, value]): [string, string][] => {
    const name = W3C.includes(header) ? header : nameIn(header)
    if (name === undefined || typeof value !== 'string') return []
    if (name.length + value.length > left) return []
    left -= name.length + value.length
    return [[name, value]]
  })
  return trace.length === 0 ? undefined : Object.fromEntries(trace)
}

const nameIn = (header: string): string | undefined =>
  header.startsWith(`${PREFIX}trace-`) ? header.slice(`${PREFIX}trace-`.length) : undefined

/** A whole number, of a header or of a head. */
export function whole(value: unknown, from = 0, to: number = Number.MAX_SAFE_INTEGER): number | undefined {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to
    ? (value as number)
    : undefined
}

/** Milliseconds since the epoch, as far as a Date is written with four digits for the year. */
export function instant(value: unknown): number | undefined {
  return whole(value, 0, LAST_INSTANT)
}

/** Readable text of a bounded length. */
export function text(value: unknown, longest: number): string | undefined {
  const found = some(value, longest)
  return found === undefined || /\p{Cc}/u.test(found) ? undefined : found
}

/** Text of a bounded length, readable or not. */
export function some(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= longest ? value : undefined
}

/** A member that is there or not. */
export function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value })
}
