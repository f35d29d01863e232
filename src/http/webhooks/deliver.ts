import { OffloadError } from '../../job/errors.ts'
import type { EndedJob } from '../../job/follow-up.ts'
import type { Outcome } from '../../job/outcome.ts'
import { discard, snooze } from '../../job/outcome.ts'
import type { JobContext } from '../../task.ts'
import { version } from '../../version.ts'
import { snippetOf, verdictOf, waitMs } from './answer.ts'
import type { EventType, Message } from './event.ts'
import { messageOf, typeOf } from './event.ts'
import type { Lane } from './lanes.ts'
import type { Plan, Target } from './options.ts'
import type { Received } from './send.ts'
import { failed, send } from './send.ts'
import { signatures, signedText } from './sign.ts'

/** What a delivery ends with: the status that the receiver answered, or the event that it is not told of. */
export type Delivered = { readonly status: number } | { readonly skipped: EventType }

/** What `onDone` hands on: an endpoint by its name, or a URL. */
export type Address = { readonly endpoint: string } | { readonly url: string }

/** One attempt to tell a receiver that a job ended. */
export async function deliver(
  ended: EndedJob,
  job: JobContext<EndedJob>,
  plan: Plan,
): Promise<Delivered | Outcome> {
  const target = targetOf(ended.data, plan)
  if (target === undefined)
    return discard(
      `no receiver ${JSON.stringify(ended.data)?.slice(0, 200)} is known here: name it in webhooks({ endpoints }), then retry this job`,
    )
  if (!target.events.includes(typeOf(ended))) return { skipped: typeOf(ended) }
  const disabled = await plan.receivers.state(target.name)
  if (disabled !== undefined) return discard(refusalOf(target, disabled.reason))
  const lane = plan.lanes.of(laneOf(target), target.concurrency)
  const awayMs = lane.enter(plan.clock.now(), plan.random)
  if (awayMs > 0) return snooze(awayMs)
  const begun = plan.clock.now()
  try {
    return await attempt(ended, target, lane, job, plan)
  } finally {
    lane.leave(plan.clock.now() - begun)
  }
}

/** What the retry policy of the task makes of a failed attempt. */
export function afterFailure(
  error: unknown,
  attempt: number,
  random: () => number,
): 'discard' | { readonly after: number } {
  const { code, retryAfterMs } = error instanceof OffloadError ? error : {}
  return code === 'WEBHOOK_REFUSED' ? 'discard' : { after: waitMs(attempt, retryAfterMs, random) }
}

/** The URL is checked again: what is stored may be older than the rules. @throws WEBHOOK_REFUSED */
function targetOf(address: unknown, plan: Plan): Target | undefined {
  const { endpoint, url } = (address ?? {}) as { endpoint?: unknown; url?: unknown }
  if (typeof endpoint === 'string') return plan.endpoints.get(endpoint)
  return typeof url === 'string' ? plan.targetOf(url) : undefined
}

/** URLs that differ in their query only are one place to call. */
function laneOf({ name, url }: Target): string {
  return name.startsWith('url:') ? `${url.origin}${url.pathname}` : name
}

async function attempt(
  ended: EndedJob,
  target: Target,
  lane: Lane,
  job: JobContext<EndedJob>,
  plan: Plan,
): Promise<Delivered | Outcome> {
  const message = messageOf(ended, job.id, plan.event)
  try {
    const headers = await signedHeaders(message, ended, target, plan)
    const answer = await send(
      { method: 'POST', url: target.url, headers, body: message.body },
      plan.guard,
      job.signal,
    )
    return await outcomeOf(answer, target, lane, job, plan)
  } catch (error) {
    if (isLast(error, job) && !lane.tookSince(ended.endedAt))
      await disable(target, `${job.attempt} attempts failed, the last: ${messageOfError(error)}`, job, plan)
    throw error
  }
}

async function signedHeaders(
  message: Message,
  ended: EndedJob,
  target: Target,
  plan: Plan,
): Promise<Readonly<Record<string, string>>> {
  const timestamp = String(Math.floor(plan.clock.now() / 1000))
  const keys = await target.keys({
    name: target.name,
    url: target.url.href,
    ...(ended.tenant === undefined ? {} : { tenant: ended.tenant }),
  })
  const isFromCloudEvents = plan.event.envelope === 'cloudevents' && plan.origin !== undefined
  return {
    ...message.headers,
    'user-agent': `offload/${version}`,
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures(keys, signedText(message.id, timestamp, message.body)),
    ...(isFromCloudEvents ? { 'webhook-request-origin': plan.origin } : {}),
  }
}

async function outcomeOf(
  answer: Received,
  target: Target,
  lane: Lane,
  job: JobContext<EndedJob>,
  plan: Plan,
): Promise<Delivered | Outcome> {
  const now = plan.clock.now()
  const verdict = verdictOf(answer.status, answer.header('retry-after'), now)
  switch (verdict.type) {
    case 'taken':
      lane.took(now)
      return { status: answer.status }
    case 'gone': {
      const reason = `${target.url.origin} answered 410 Gone`
      await disable(target, reason, job, plan)
      return discard(refusalOf(target, reason))
    }
    case 'failed': {
      if (verdict.throttled) lane.hold(now, verdict.retryAfterMs)
      throw failed(failureOf(answer, target), verdict.retryAfterMs)
    }
  }
}

function failureOf({ status, body }: Received, { url }: Target): string {
  const hint = status >= 300 && status <= 399 ? ' (redirects are not followed)' : ''
  const snippet = snippetOf(body)
  return `${url.origin} answered ${status}${hint}${snippet === '' ? '' : `: ${snippet}`}`
}

/** A refusal says nothing about the receiver's health, and neither does a worker that is told to stop. */
function isLast(error: unknown, { attempt, maxAttempts }: JobContext): boolean {
  return attempt >= maxAttempts && error instanceof OffloadError && error.code === 'WEBHOOK_FAILED'
}

function refusalOf({ name }: Target, reason: string): string {
  return `the receiver is disabled (${reason}): enable ${JSON.stringify(name)}, then retry this job`
}

async function disable(
  { name, url }: Target,
  reason: string,
  job: JobContext<EndedJob>,
  { receivers, clock, onDisabled }: Plan,
): Promise<void> {
  const receiver = { name, url: url.href, reason, at: clock.now() }
  if (!(await receivers.disable(receiver))) return
  try {
    await onDisabled(receiver)
  } catch (error) {
    job.log(`onDisabled failed: ${messageOfError(error)}`)
  }
}

function messageOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
