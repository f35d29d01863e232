import { createHash } from 'node:crypto'
import { lookup as dnsLookup } from 'node:dns/promises'
import type { Clock } from '../../clock.ts'
import type { Duration } from '../../duration.ts'
import { toMs } from '../../duration.ts'
import { OffloadError, shown } from '../../job/errors.ts'
import { BoundReceivers } from './bound-receivers.ts'
import type { EventOptions, EventType } from './event.ts'
import { eventTypes } from './event.ts'
import { Lanes } from './lanes.ts'
import type { DisabledReceiver, Receivers } from './receivers.ts'
import type { Guard, Lookup } from './send.ts'
import type { Key } from './sign.ts'
import { signingKeysOf } from './sign.ts'
import type { Allow } from './url.ts'
import { checkUrl } from './url.ts'

/** Who a webhook goes to. */
export interface Receiver {
  /** The name of an endpoint, or `url:` and a digest for a URL of one request. */
  readonly name: string
  readonly url: string
  /** Of the job that ended. */
  readonly tenant?: string
}

/** Newest first, `whsec_…` or `whsk_…`. Every one signs, so that receivers can change from one to the next. */
export type Secrets =
  | readonly string[]
  | ((receiver: Receiver) => readonly string[] | Promise<readonly string[]>)

export interface EndpointOptions {
  readonly url: string
  /** @default those of all receivers */
  readonly secrets?: Secrets
  /** What it is told of. @default all: `job.done`, `job.dead`, `job.cancelled` */
  readonly events?: readonly EventType[]
  /** @default that of all receivers */
  readonly concurrency?: number
}

export interface WebhookOptions {
  /** What webhooks are signed with. A function is asked at each attempt: for secrets of one customer each. */
  readonly secrets: Secrets
  /** Receivers by name: letters, digits and `. _ -`. */
  readonly endpoints?: Readonly<Record<string, EndpointOptions>>
  /** The queue of the deliveries. @default 'webhooks' */
  readonly queue?: string
  /** Deliveries to one receiver at once, in one process. @default 5 */
  readonly concurrency?: number
  /** How long one request may take, 1 to 120 s. @default '20s' */
  readonly timeout?: Duration
  /** Where the job routes are found from outside, e.g. `https://api.example.com/jobs`: adds links. @default no links */
  readonly base?: string
  /** The form of the body: Standard Webhooks, or CloudEvents 1.0.2 in binary mode. Signed alike. @default 'standard' */
  readonly envelope?: 'standard' | 'cloudevents'
  /** `ce-source` of CloudEvents, a URI. @default base, or 'urn:offload' */
  readonly source?: string
  /**
   * Which addresses may be called, instead of public ones only: for receivers in a private network, and for tests. It
   * also lets http through, to addresses that are not public. Compose it with isPublicAddress().
   */
  readonly allow?: Allow
  /** Told once when a receiver is disabled: let its owner know. What it throws is written to the log of the job. */
  readonly onDisabled?: (receiver: DisabledReceiver) => unknown
  /** Finds the addresses of a host name. @default the resolver of the host */
  readonly lookup?: Lookup
  /** Remembers who is disabled. @default the store of the queue that the task is given to */
  readonly receivers?: Receivers
}

/** An endpoint or the URL of a request, ready to be called. */
export interface Target {
  readonly name: string
  readonly url: URL
  readonly keys: (receiver: Receiver) => readonly Key[] | Promise<readonly Key[]>
  readonly events: readonly EventType[]
  readonly concurrency: number
}

/** The options, checked, with what deliveries share. */
export interface Plan {
  readonly queue: string
  readonly endpoints: ReadonlyMap<string, Target>
  /** @throws WEBHOOK_REFUSED */
  targetOf(url: string): Target
  readonly event: EventOptions
  /** The name of this sender in DNS. */
  readonly origin: string | undefined
  readonly guard: Guard
  readonly receivers: Receivers
  readonly lanes: Lanes
  readonly clock: Clock
  readonly random: () => number
  readonly onDisabled: (receiver: DisabledReceiver) => unknown
}

const USABLE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/
const SHORTEST_TIMEOUT_MS = 1000
const LONGEST_TIMEOUT_MS = 120_000
const MOST_AT_ONCE = 1000

/** @throws OPTION_INVALID, WEBHOOK_REFUSED */
export function planOf(options: WebhookOptions, clock: Clock, random: () => number): Plan {
  const { allow, envelope = 'standard' } = options
  const keys = keysFrom(options.secrets, 'secrets')
  const concurrency = atOnce(options.concurrency ?? 5, 'concurrency')
  const base = options.base === undefined ? undefined : baseOf(options.base)
  if (envelope !== 'standard' && envelope !== 'cloudevents')
    throw invalid(`envelope must be "standard" or "cloudevents", not ${shown(envelope)}`)
  const target = (name: string, url: URL): Target => ({ name, url, keys, events: eventTypes, concurrency })
  return {
    queue: options.queue ?? 'webhooks',
    endpoints: new Map(
      Object.entries(options.endpoints ?? {}).map(([name, endpoint]) => [
        name,
        endpointOf(name, endpoint, allow, target),
      ]),
    ),
    targetOf: (text) => {
      const url = checkUrl(text, allow)
      return target(nameOfUrl(url), url)
    },
    event: { base, envelope, source: sourceOf(options.source ?? base ?? 'urn:offload') },
    origin: base === undefined ? undefined : new URL(base).hostname,
    guard: {
      allow,
      lookup: options.lookup ?? ((hostname) => dnsLookup(hostname, { all: true })),
      timeoutMs: timeoutOf(options.timeout ?? '20s'),
      clock,
    },
    receivers: options.receivers ?? new BoundReceivers(),
    lanes: new Lanes(),
    clock,
    random,
    onDisabled: options.onDisabled ?? (() => {}),
  }
}

/** What a URL is remembered by: it may be long, and hold a token. */
export function nameOfUrl(url: URL): string {
  return `url:${createHash('sha256').update(url.href).digest('base64url')}`
}

function endpointOf(
  name: string,
  endpoint: EndpointOptions,
  allow: Allow | undefined,
  target: (name: string, url: URL) => Target,
): Target {
  const option = `endpoints.${name}`
  if (!USABLE_NAME.test(name))
    throw invalid(`an endpoint cannot be called ${shown(name)}: take 1 to 120 letters, digits and . _ -`)
  const { secrets, events, concurrency } = endpoint
  for (const event of events ?? [])
    if (!eventTypes.includes(event))
      throw invalid(`${option}.events has ${shown(event)}: take ${eventTypes.join(', ')}`)
  return {
    ...target(name, urlOf(endpoint.url, option, allow)),
    ...(secrets === undefined ? {} : { keys: keysFrom(secrets, `${option}.secrets`) }),
    ...(events === undefined ? {} : { events }),
    ...(concurrency === undefined ? {} : { concurrency: atOnce(concurrency, `${option}.concurrency`) }),
  }
}

function urlOf(text: string, option: string, allow: Allow | undefined): URL {
  try {
    return checkUrl(text, allow)
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    throw new OffloadError(error.code, `${option}: ${error.message}`)
  }
}

/** Secrets that are known are read once, so that a wrong one is told at the start. */
function keysFrom(secrets: Secrets, option: string): Target['keys'] {
  if (typeof secrets === 'function')
    return async (receiver) => signingKeysOf(await secrets(receiver), `the secrets of ${receiver.name}`)
  const keys = signingKeysOf(secrets, option)
  return () => keys
}

function atOnce(value: number, option: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= MOST_AT_ONCE) return value
  throw invalid(`${option} must be a whole number from 1 to ${MOST_AT_ONCE}, not ${shown(value)}`)
}

function timeoutOf(timeout: Duration): number {
  const ms = toMs(timeout, 'timeout')
  if (ms >= SHORTEST_TIMEOUT_MS && ms <= LONGEST_TIMEOUT_MS) return ms
  throw invalid(`timeout must be from 1 s to 120 s, not ${shown(timeout)}`)
}

function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if ((url?.protocol === 'https:' || url?.protocol === 'http:') && url.search === '' && url.hash === '')
    return text.replace(/\/+$/, '')
  throw invalid(
    `base must be where the job routes are, e.g. https://api.example.com/jobs, not ${shown(text)}`,
  )
}

/** A URI reference, not empty. */
function sourceOf(text: string): string {
  if (typeof text === 'string' && text !== '' && URL.canParse(text, 'https://example.com')) return text
  throw invalid(`source must be a URI, e.g. https://api.example.com/jobs, not ${shown(text)}`)
}

function invalid(message: string): OffloadError {
  return new OffloadError('OPTION_INVALID', `webhooks(): ${message}`)
}
