import { OffloadError } from '../../job/errors.ts'
import { version } from '../../version.ts'
import type { Plan, Target } from './options.ts'
import { send } from './send.ts'

/** Whether a receiver agrees to be called. */
export interface Handshake {
  readonly allowed: boolean
  /** How many webhooks a minute it takes; left out when it names no limit. */
  readonly ratePerMinute?: number
}

/**
 * Asks a receiver whether it wants webhooks, with the OPTIONS request of the CloudEvents webhook specification.
 * @throws OPTION_INVALID without `base`, whose host name is the name of the sender; WEBHOOK_REFUSED, WEBHOOK_FAILED
 */
export async function handshake({ url }: Target, { origin, guard }: Plan): Promise<Handshake> {
  if (origin === undefined)
    throw new OffloadError('OPTION_INVALID', 'handshake() tells who is asking: give webhooks() a base')
  const headers = { 'webhook-request-origin': origin, 'user-agent': `offload/${version}` }
  const answer = await send({ method: 'OPTIONS', url, headers }, guard, new AbortController().signal)
  const allowedOrigin = answer.header('webhook-allowed-origin')?.trim().toLowerCase()
  if (allowedOrigin !== '*' && allowedOrigin !== origin) return { allowed: false }
  const rate = Number(answer.header('webhook-allowed-rate'))
  return { allowed: true, ...(Number.isInteger(rate) && rate > 0 ? { ratePerMinute: rate } : {}) }
}
