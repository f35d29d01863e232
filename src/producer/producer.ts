import type { Backend } from '../backend.ts'
import { Batcher } from '../batch.ts'
import type { Accepted, Room } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { BackendError, OffloadError, QueueFullError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'
import type { Observer } from '../observe/observer.ts'
import type { AnyTask, EnqueueOptions } from '../task.ts'
import { checkKnown, makeJob } from './job.ts'
import { checkJob, isDemanding } from './powers.ts'

const MAX_BATCH = 1000
/** Calls that may wait for a batch; more are refused, so that a slow backend cannot fill the memory. */
const MAX_WAITING = 50_000

export interface ProducerOptions {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly newId: (now: number) => string
  readonly tasks: ReadonlyMap<string, AnyTask>
  readonly room: Room
  readonly payloadBytes: number
  readonly timeoutMs: number
  readonly observer?: Observer | undefined
}

/** One job of a call that makes many. */
export interface Item {
  readonly input: unknown
  readonly options?: EnqueueOptions
}

/** Why a job was not accepted. */
export interface Refused {
  readonly refused: unknown
}

/** Turns calls into batches of jobs. A call resolves when the backend has durably taken its job. */
export class Producer {
  readonly #options: ProducerOptions
  readonly #batches: Batcher<Job, Accepted>
  /** Then there is nothing that cannot be asked for. */
  #hasLedger = false
  /** Whether the backend works on one call while the next is made. */
  #overlaps = false
  /** The backend did not take the last call in time: one call at a time tries it, and the others are refused at once. */
  #isAway = false

  constructor(options: ProducerOptions) {
    this.#options = options
    this.#batches = new Batcher(
      MAX_BATCH,
      (jobs) => this.#send(jobs),
      () => this.#overlaps,
    )
  }

  async enqueue(task: AnyTask, input: unknown, options: EnqueueOptions = {}): Promise<Accepted> {
    this.#checkOpenTo(task, 1)
    const made = this.#make(task, input, options)
    const job = made instanceof Promise ? await made : made
    if (!this.#hasLedger && isDemanding(job)) await this.#checkPowers([job])
    const accepted = await this.#batches.add(this.#toSend(job))
    const refusal = this.#refusalOf(accepted, job, task)
    if (refusal !== undefined) throw refusal
    return accepted
  }

  /** Many jobs of one task, a thousand at most: each is accepted, or its error is answered, in order. */
  async enqueueAll(task: AnyTask, items: readonly Item[]): Promise<readonly (Accepted | Refused)[]> {
    const answers: (Accepted | Refused)[] = []
    try {
      this.#checkOpenTo(task, items.length)
      const made = items.map(({ input, options = {} }) => settled(() => this.#make(task, input, options)))
      const ready = made.some((one) => one instanceof Promise) ? await Promise.all(made) : made
      const jobs = (ready as (Job | Refused)[]).filter((one): one is Job => !('refused' in one))
      if (!this.#hasLedger && jobs.some(isDemanding)) await this.#checkPowers(jobs)
      const accepted = jobs.length === 0 ? [] : await this.#batches.addAll(this.#allToSend(jobs))
      let nth = 0
      for (const one of ready as (Job | Refused)[]) {
        if ('refused' in one) answers.push(one)
        else {
          const answer = accepted[nth++] as Accepted
          const refusal = this.#refusalOf(answer, one, task)
          answers.push(refusal === undefined ? answer : { refused: refusal })
        }
      }
      return answers
    } catch (error) {
      return items.map(() => ({ refused: error }))
    }
  }

  #make(task: AnyTask, input: unknown, options: EnqueueOptions): Job | Promise<Job> {
    const { tasks, clock, newId, payloadBytes } = this.#options
    return makeJob(task, input, options, { now: clock.now(), newId, payloadBytes, tasks })
  }

  /** What is sent of a job, once nothing but the backend can refuse it. */
  #toSend(job: Job): Job {
    return this.#options.observer?.sending?.(job) ?? job
  }

  #allToSend(jobs: readonly Job[]): readonly Job[] {
    return this.#options.observer?.sending === undefined ? jobs : jobs.map((job) => this.#toSend(job))
  }

  #checkOpenTo(task: AnyTask, count: number): void {
    checkKnown(task, this.#options.tasks)
    if (this.#isAway && !this.#batches.isIdle) throw away()
    if (this.#batches.size + count > MAX_WAITING) {
      throw new BackendError(
        'BACKEND_UNAVAILABLE',
        `${MAX_WAITING} calls wait for the backend already; nothing was accepted`,
        { retryAfterMs: 1000 },
      )
    }
  }

  #refuseWaiting(): void {
    const error = away()
    const jobs = this.#batches.refuseWaiting(error)
    if (jobs.length > 0) this.#options.observer?.answered?.({ jobs, error, ms: 0 })
  }

  #refusalOf(
    { id, status, limit, error }: Accepted,
    { queue }: Job,
    task: AnyTask,
  ): OffloadError | undefined {
    switch (status) {
      case 'full':
        return new QueueFullError(queue, limit && this.#options.room(queue)[limit], limit)
      case 'mismatch':
        return mismatch(id, task)
      case 'taken':
        return taken(id, task)
      case 'tooLarge':
        return tooLarge(id, task)
      case 'failed':
        return error
      case 'queued':
      case 'duplicate':
        return undefined
    }
  }

  /** Resolves when every call made so far is answered. */
  idle(): Promise<void> {
    return this.#batches.idle()
  }

  async #checkPowers(jobs: readonly Job[]): Promise<void> {
    const { open, clock } = this.#options
    const backend = await open()
    for (const job of jobs) checkJob(job, backend, clock.now())
  }

  async #send(jobs: readonly Job[]): Promise<readonly Accepted[]> {
    const { observer, clock } = this.#options
    if (observer?.answered === undefined) return this.#call(jobs)
    const begun = clock.elapsed()
    try {
      const accepted = await this.#call(jobs)
      observer.answered({ jobs, accepted, ms: clock.elapsed() - begun })
      return accepted
    } catch (error) {
      observer.answered({ jobs, error, ms: clock.elapsed() - begun })
      throw error
    }
  }

  async #call(jobs: readonly Job[]): Promise<readonly Accepted[]> {
    const { open, room, timeoutMs } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new BackendError(
              'BACKEND_UNAVAILABLE',
              `the backend did not answer within ${timeoutMs} ms; whether the job was accepted is unknown: enqueue again with the same id`,
              { retryAfterMs: 1000 },
            ),
          ),
        timeoutMs * 1.2,
      )
    })
    try {
      const accepting = open().then(({ broker, ledger }) => {
        this.#hasLedger = ledger !== undefined
        this.#overlaps = broker.features.overlaps === true
        return broker.enqueue(jobs, room)
      })
      const accepted = await Promise.race([accepting, late])
      this.#isAway = false
      return accepted
    } catch (error) {
      this.#isAway = error instanceof BackendError && error.code === 'BACKEND_UNAVAILABLE'
      if (this.#isAway) this.#refuseWaiting()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

/** What a call answers or throws, now or later. */
function settled<Answer>(call: () => Answer | Promise<Answer>): Answer | Refused | Promise<Answer | Refused> {
  try {
    const answer = call()
    return answer instanceof Promise ? answer.catch((refused: unknown) => ({ refused })) : answer
  } catch (refused) {
    return { refused }
  }
}

function away(): BackendError {
  return new BackendError(
    'BACKEND_UNAVAILABLE',
    'the backend does not answer, and is being tried; this call was not sent: nothing was accepted',
    { retryAfterMs: 1000 },
  )
}

/** The message goes to whoever sent the key; the job's id would let them see it. */
function mismatch(jobId: string, { name, queue }: AnyTask): OffloadError {
  return new OffloadError(
    'IDEMPOTENCY_MISMATCH',
    'this idempotency key was used for another request: take a new key for a new request',
    { jobId, task: name, queue },
  )
}

function tooLarge(jobId: string, { name, queue }: AnyTask): OffloadError {
  return new OffloadError(
    'PAYLOAD_TOO_LARGE',
    'the server of the backend takes no message as long as this one: store the payload elsewhere and pass a reference, name a ledger, or raise the limit of the server (max_message_size of RabbitMQ)',
    { jobId, task: name, queue },
  )
}

function taken(jobId: string, { name, queue }: AnyTask): OffloadError {
  return new OffloadError('ID_TAKEN', 'a job of another tenant has this id: take another one', {
    jobId,
    task: name,
    queue,
  })
}
