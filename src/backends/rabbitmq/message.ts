import type { ConsumeMessage, MessageProperties } from 'amqplib'
import type { Job, JobFault } from '../../job/job.ts'
import { NORMAL_PRIORITY } from '../../job/priority.ts'
import type { Headers, Properties, Publisher } from './envelope.ts'
import { propertiesOf } from './envelope.ts'
import { isPack, unpacked } from './pack.ts'
import type { Entries } from './untrusted.ts'
import { instant, jobWith, MAX_ATTEMPTS, newId, payloadOf, readable, usableId, whole } from './untrusted.ts'

/** What goes over the wire. */
export interface Content {
  readonly body: Buffer
  readonly properties: Properties
}

/** A job as it was received. */
export interface Received {
  readonly job: Job
  /** Attempts that were begun before this delivery. */
  readonly attempts: number
  /** A ledger has it too. */
  readonly isRemembered: boolean
  /** Why it cannot be read. */
  readonly malformed: string | undefined
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

const TRACE = 'offload-trace-'
/** Trace context that travels under its own names, for programs in any language. */
const W3C = ['traceparent', 'tracestate', 'baggage']

/** One job in one message: the payload is the body, all else is in properties and headers. */
export function contentOf(job: Job, attempts: number, publisher: Publisher): Content {
  return {
    body: Buffer.from(job.payload),
    properties: {
      ...propertiesOf(job, publisher, 'application/json', job.task, headersOf(job, attempts)),
      correlationId: job.id,
      priority: job.priority,
    },
  }
}

function headersOf(job: Job, attempts: number): Headers {
  const headers: Record<string, string | number> = {
    'offload-created-at': job.createdAt,
    'offload-max-attempts': job.maxAttempts,
  }
  if (attempts > 0) headers['offload-attempts'] = attempts
  if (job.runAt !== undefined) headers['offload-run-at'] = job.runAt
  if (job.deadline !== undefined) headers['offload-deadline'] = job.deadline
  if (job.key !== undefined) headers['offload-key'] = job.key
  if (job.tenant !== undefined) headers['offload-tenant'] = job.tenant
  if (job.trace !== undefined)
    for (const [name, value] of Object.entries(job.trace))
      headers[W3C.includes(name) ? name : TRACE + name] = value
  return headers
}

/** What a dead letter says of its end, for people and for other programs. */
export function deathOf(fault: JobFault): Headers {
  const { code, name, message, attempt, at } = fault
  return {
    'offload-fault-code': code,
    'offload-fault-name': name,
    'offload-fault-message': message.slice(0, 1000),
    'offload-fault-attempt': attempt,
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
  const headers = headersIn(properties)
  // A quorum queue counts how often it came back.
  const redelivered = whole(headers['x-delivery-count']) ?? (fields.redelivered ? 1 : 0)
  if (isPack(properties)) return unpacked(message, queue, redelivered, isRemembered, now)
  const route =
    routes.length === 0
      ? undefined
      : routes.find((one) => one.exchange === fields.exchange && one.key === fields.routingKey)
  const { payload, malformed } = payloadOf(content)
  const priority = whole(properties.priority, 0, 9) ?? route?.priority ?? NORMAL_PRIORITY
  const job = jobWith(
    {
      id: usableId(properties.messageId) ?? newId(),
      task: route?.task ?? readable(properties.type, 120) ?? readable(fields.routingKey, 120) ?? 'unknown',
      queue,
      payload,
      priority,
      createdAt: instant(headers['offload-created-at']) ?? secondsOf(properties.timestamp) ?? now,
      maxAttempts: whole(headers['offload-max-attempts'], 1) ?? route?.maxAttempts ?? MAX_ATTEMPTS,
    },
    {
      key: headers['offload-key'],
      tenant: headers['offload-tenant'],
      runAt: headers['offload-run-at'],
      deadline: headers['offload-deadline'],
      trace: traceIn(headers),
    },
  )
  const attempts = (whole(headers['offload-attempts']) ?? 0) + redelivered
  return [{ job, attempts, isRemembered, malformed }]
}

/** Their own: one that is named `__proto__` becomes the prototype of the others. */
function headersIn({ headers }: MessageProperties): Readonly<Record<string, unknown>> {
  if (headers === undefined) return NONE
  return Object.getPrototypeOf(headers) === Object.prototype ? headers : { ...headers }
}

const NONE = {}

function secondsOf(timestamp: unknown): number | undefined {
  const seconds = whole(timestamp)
  return seconds === undefined ? undefined : instant(seconds * 1000)
}

function traceIn(headers: Readonly<Record<string, unknown>>): Entries | undefined {
  let found: [string, unknown][] | undefined
  for (const header of Object.keys(headers)) {
    const name = traceName(header)
    if (name === undefined) continue
    found ??= []
    found.push([name, headers[header]])
  }
  return found
}

function traceName(header: string): string | undefined {
  if (header.startsWith(TRACE)) return header.slice(TRACE.length)
  return W3C.includes(header) ? header : undefined
}
