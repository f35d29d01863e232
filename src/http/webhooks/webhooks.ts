import type { Clock } from '../../clock.ts'
import { systemClock } from '../../clock.ts'
import { OffloadError, shown } from '../../job/errors.ts'
import type { EndedJob } from '../../job/follow-up.ts'
import { endedJob } from '../../job/follow-up.ts'
import type { Task } from '../../task.ts'
import { task } from '../../task.ts'
import { ATTEMPTS } from './answer.ts'
import { BoundReceivers } from './bound-receivers.ts'
import type { Address, Delivered } from './deliver.ts'
import { afterFailure, deliver } from './deliver.ts'
import type { Handshake } from './handshake.ts'
import { handshake } from './handshake.ts'
import type { Plan, Target, WebhookOptions } from './options.ts'
import { planOf } from './options.ts'
import type { DisabledReceiver } from './receivers.ts'

/** What `enqueue(…, { onDone })` takes. */
export interface WebhookFollowUp {
  readonly task: Task<EndedJob, Delivered>
  readonly data: Address
}

/** Webhooks that tell of ended jobs. Pass `task` to offload({ tasks }). @throws OPTION_INVALID, WEBHOOK_REFUSED */
export function webhooks(options: WebhookOptions): Webhooks {
  return new Webhooks(options, systemClock, Math.random)
}

/** The task that delivers, and its receivers. */
export class Webhooks {
  /** Each delivery is a job of this task. */
  readonly task: Task<EndedJob, Delivered>
  readonly #plan: Plan

  constructor(options: WebhookOptions, clock: Clock, random: () => number) {
    const plan = planOf(options, clock, random)
    this.#plan = plan
    const deliveries = task('offload.webhook', {
      input: endedJob,
      queue: plan.queue,
      retry: { attempts: ATTEMPTS, on: (error, attempt) => afterFailure(error, attempt, random) },
      run: (ended, job) => deliver(ended, job, plan),
    })
    const { receivers } = plan
    this.task =
      receivers instanceof BoundReceivers
        ? { ...deliveries, bind: (open) => receivers.bind(open) }
        : deliveries
  }

  /**
   * Tells this receiver when the job has ended: `enqueue(task, input, { onDone: hooks.to('crm') })`. A text is the name of
   * an endpoint or a URL. Pass what a client sent as `{ url }`, so that it cannot name an endpoint.
   * @throws OPTION_INVALID for an unknown name; WEBHOOK_REFUSED for a URL that may not be called
   */
  to(receiver: string | { readonly url: string }): WebhookFollowUp {
    const { name, url } = this.#target(receiver)
    const data = this.#plan.endpoints.has(name) ? { endpoint: name } : { url: url.href }
    return { task: this.task, data }
  }

  /** The receivers that nothing is sent to. */
  disabled(): Promise<readonly DisabledReceiver[]> {
    return this.#plan.receivers.list()
  }

  /**
   * Sends to this receiver again: an endpoint by its name, or a URL. False when it was not disabled. What was discarded
   * meanwhile is a dead letter of the queue; `retry(id)` or `redrive({ queue: 'webhooks' })` sends it.
   */
  enable(receiver: string): Promise<boolean> {
    const isName = receiver.startsWith('url:')
    return this.#plan.receivers.enable(isName ? receiver : this.#target(receiver).name)
  }

  /**
   * Asks a receiver whether it wants webhooks, as the CloudEvents webhook specification says; the sender is named by the
   * host of `base`. Status codes mean nothing here.
   * @throws OPTION_INVALID without `base`; WEBHOOK_REFUSED, WEBHOOK_FAILED
   */
  async handshake(receiver: string | { readonly url: string }): Promise<Handshake> {
    return handshake(this.#target(receiver), this.#plan)
  }

  #target(receiver: string | { readonly url: string }): Target {
    if (typeof receiver !== 'string') return this.#plan.targetOf(receiver?.url)
    const endpoint = this.#plan.endpoints.get(receiver)
    if (endpoint !== undefined) return endpoint
    if (/^[a-z][a-z0-9+.-]*:/i.test(receiver)) return this.#plan.targetOf(receiver)
    const known = [...this.#plan.endpoints.keys()].join(', ')
    throw new OffloadError(
      'OPTION_INVALID',
      `no endpoint is called ${shown(receiver)}: name it in webhooks({ endpoints })${known === '' ? '' : `, which has ${known}`}`,
    )
  }
}
