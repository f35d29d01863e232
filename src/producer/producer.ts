import type { Backend } from '../backend.ts'
import { Batcher } from '../batch.ts'
import type { Accepted, Room } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { BackendError, CapabilityError, OffloadError, QueueFullError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'
import type { AnyTask, EnqueueOptions } from '../task.ts'
import { checkKnown, makeJob } from './job.ts'

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
}

/** Turns calls into batches of jobs. A call resolves when the backend has durably taken its job. */
export class Producer {
  readonly #options: ProducerOptions
  readonly #batches: Batcher<Job, Accepted>
  /** The backend did not take the last call in time: one call at a time tries it, and the others are refused at once. */
  #isAway = false

  constructor(options: ProducerOptions) {
    this.#options = options
    this.#batches = new Batcher(MAX_BATCH, (jobs) => this.#send(jobs))
  }

  async enqueue(task: AnyTask, input: unknown, options: EnqueueOptions = {}): Promise<Accepted> {
    const { tasks, clock, newId, payloadBytes, room } = this.#options
    checkKnown(task, tasks)
    if (this.#isAway && !this.#batches.isIdle) throw away()
    if (this.#batches.size >= MAX_WAITING) {
      throw new BackendError(
        'BACKEND_UNAVAILABLE',
        `${MAX_WAITING} calls wait for the backend already; nothing was accepted`,
        { retryAfterMs: 1000 },
      )
    }
    const made = makeJob(task, input, options, { now: clock.now(), newId, payloadBytes, tasks })
    const job = made instanceof Promise ? await made : made
    if (job.idempotency !== undefined || job.onDone !== undefined) await this.#checkLedger()
    const accepted = await this.#batches.add(job)
    if (accepted.status === 'full') throw new QueueFullError(job.queue, room(job.queue))
    if (accepted.status === 'mismatch') throw mismatch(accepted.id, task)
    if (accepted.status === 'taken') throw taken(accepted.id, task)
    return accepted
  }

  /** Resolves when every call made so far is answered. */
  idle(): Promise<void> {
    return this.#batches.idle()
  }

  async #checkLedger(): Promise<void> {
    const { broker, ledger } = await this.#options.open()
    if (ledger !== undefined) return
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${broker.name} with ledger: 'none' can neither hold an idempotency key nor follow the end of a job: name a ledger`,
    )
  }

  async #send(jobs: readonly Job[]): Promise<readonly Accepted[]> {
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
      const accepted = await Promise.race([open().then(({ broker }) => broker.enqueue(jobs, room)), late])
      this.#isAway = false
      return accepted
    } catch (error) {
      this.#isAway = error instanceof BackendError && error.code === 'BACKEND_UNAVAILABLE'
      if (this.#isAway) this.#batches.refuseWaiting(away())
      throw error
    } finally {
      clearTimeout(timer)
    }
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

function taken(jobId: string, { name, queue }: AnyTask): OffloadError {
  return new OffloadError('ID_TAKEN', 'a job of another tenant has this id: take another one', {
    jobId,
    task: name,
    queue,
  })
}
