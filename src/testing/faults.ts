import type { Amount, Room } from '../broker.ts'
import type { Clock } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { BackendError, OffloadError } from '../job/errors.ts'
import { checkId, checkName } from '../job/id.ts'
import type { Job } from '../job/job.ts'
import type { AnyTask } from '../task.ts'

/**
 * What can go wrong, on demand. A fault of an attempt is for the next attempt of a task's jobs, or of the job with an id,
 * and happens once a call.
 */
export interface Faults {
  /** The attempt loses its lease while it runs: the job runs again, and what the attempt ends with is refused. */
  loseLease(of: AnyTask | string): void
  /** The job comes twice at once: its handler runs twice, and one end is counted. */
  deliverTwice(of: AnyTask | string): void
  /** The worker dies when the handler has ended, before that is stored: after the lease (30 s) the job runs again. */
  crashAfterHandler(of: AnyTask | string): void
  /** Every call is rejected with BACKEND_UNAVAILABLE for so long, or until the answer is called. */
  backendDown(duration?: Duration): () => void
  /** Jobs for the queue are refused with QUEUE_FULL until the answer is called. @default queue 'default' */
  queueFull(queue?: string): () => void
  /** Faults of attempts that have not happened yet. */
  readonly pending: number
}

export type AttemptFault = 'loseLease' | 'deliverTwice' | 'crashAfterHandler'

interface Planned {
  readonly fault: AttemptFault
  readonly of: AnyTask | string
}

/** What is to go wrong, and what goes wrong now. */
export class FaultPlan implements Faults {
  readonly #clock: Clock
  readonly #tasks: readonly AnyTask[]
  /** Told when the backend goes down. */
  readonly #onDown: () => void
  readonly #planned: Planned[] = []
  readonly #outages = new Map<object, boolean>()
  readonly #full = new Map<object, string>()

  constructor(clock: Clock, tasks: readonly AnyTask[], onDown: () => void) {
    this.#clock = clock
    this.#tasks = tasks
    this.#onDown = onDown
  }

  loseLease(of: AnyTask | string): void {
    this.#plan('loseLease', of)
  }

  deliverTwice(of: AnyTask | string): void {
    this.#plan('deliverTwice', of)
  }

  crashAfterHandler(of: AnyTask | string): void {
    this.#plan('crashAfterHandler', of)
  }

  backendDown(duration?: Duration): () => void {
    const outage = {}
    const cancel =
      duration === undefined
        ? () => {}
        : this.#clock.after(toMs(duration, 'backendDown(duration)'), () => void this.#outages.delete(outage))
    this.#outages.set(outage, duration === undefined)
    this.#onDown()
    return () => {
      cancel()
      this.#outages.delete(outage)
    }
  }

  queueFull(queue = 'default'): () => void {
    const fault = {}
    this.#full.set(fault, checkName('queue', queue))
    return () => void this.#full.delete(fault)
  }

  get pending(): number {
    return this.#planned.length
  }

  /** Whether the backend is down until somebody says otherwise. */
  get isDownForGood(): boolean {
    return [...this.#outages.values()].includes(true)
  }

  /** Whether the fault is planned for an attempt of this job; then it is used up. */
  take(fault: AttemptFault, job: Job): boolean {
    const index = this.#planned.findIndex(
      (one) => one.fault === fault && job[typeof one.of === 'string' ? 'id' : 'task'] === nameOf(one.of),
    )
    if (index >= 0) this.#planned.splice(index, 1)
    return index >= 0
  }

  /** @throws BACKEND_UNAVAILABLE while the backend is down */
  checkUp(): void {
    if (this.#outages.size === 0) return
    throw new BackendError('BACKEND_UNAVAILABLE', 'the test took the backend down; nothing was accepted', {
      retryAfterMs: 1000,
    })
  }

  room(room: Room | undefined): Room {
    const full = new Set(this.#full.values())
    return (queue) => (full.has(queue) ? NONE : (room?.(queue) ?? ANY))
  }

  clear(): void {
    this.#planned.length = 0
    this.#outages.clear()
    this.#full.clear()
  }

  #plan(fault: AttemptFault, of: AnyTask | string): void {
    if (typeof of !== 'string') checkTask(of, this.#tasks)
    else if (this.#tasks.some(({ name }) => name === checkId(of)))
      throw new OffloadError('OPTION_INVALID', `"${of}" is a task: pass the task itself, or the id of a job`)
    this.#planned.push({ fault, of })
  }
}

const NONE: Amount = { jobs: 0, bytes: 0 }
const ANY: Amount = { jobs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

const nameOf = (of: AnyTask | string): string => (typeof of === 'string' ? of : of.name)

/** @throws TASK_UNKNOWN */
export function checkTask(task: AnyTask, tasks: readonly AnyTask[]): void {
  if (tasks.includes(task)) return
  throw new OffloadError(
    'TASK_UNKNOWN',
    `task ${JSON.stringify(task?.name)} is not among the tasks of this queue: pass it in testQueue({ tasks: [...] })`,
  )
}
