import type { Backend } from '../backend.ts'
import type { Features } from '../broker.ts'
import { CapabilityError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'
import { NORMAL_PRIORITY } from '../job/priority.ts'
import type { AnyTask } from '../task.ts'

/** Whether a job asks for more than every message broker has by itself. */
export function isDemanding({ priority, key, runAt, idempotency, onDone }: Job): boolean {
  return (
    priority !== NORMAL_PRIORITY ||
    key !== undefined ||
    runAt !== undefined ||
    idempotency !== undefined ||
    onDone !== undefined
  )
}

/** Where no ledger makes up for what the broker lacks. @throws CAPABILITY_MISSING */
export function checkJob(job: Job, { broker, ledger }: Backend, now: number): void {
  if (ledger !== undefined) return
  const { features } = broker
  const lacks =
    lackOf(features, job.priority, job.key !== undefined) ??
    (job.idempotency === undefined ? undefined : 'cannot hold an idempotency key') ??
    (job.onDone === undefined ? undefined : 'cannot follow the end of a job') ??
    (job.runAt !== undefined && job.runAt - now > features.delayMs
      ? `cannot delay a job by more than ${features.delayMs} ms`
      : undefined)
  if (lacks !== undefined) throw missing(broker.name, lacks, job.task)
}

/**
 * What tasks and limits ask for is refused at the start already; the backend is closed then.
 * @param limitsBytes whether the bytes that wait are limited @throws CAPABILITY_MISSING
 */
export async function powered(
  backend: Backend,
  tasks: Iterable<AnyTask>,
  limitsBytes = false,
): Promise<Backend> {
  if (backend.ledger !== undefined) return backend
  const { name, features } = backend.broker
  if (limitsBytes) {
    await backend.close()
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${name} with ledger: 'none' cannot count the bytes that wait: name a ledger, or leave out limits.waitingBytes`,
    )
  }
  for (const task of tasks) {
    const lacks =
      lackOf(features, task.priority, task.isKeyed) ??
      (task.onDone.length === 0 ? undefined : 'cannot follow the end of a job')
    if (lacks === undefined) continue
    await backend.close()
    throw missing(name, lacks, task.name)
  }
  return backend
}

function lackOf(features: Features, priority: number, isKeyed: boolean): string | undefined {
  if (priority !== NORMAL_PRIORITY && features.priorities === 1) return 'serves no job before another'
  if (isKeyed && !features.ordered) return 'keeps no order by key'
  return undefined
}

function missing(broker: string, lacks: string, task: string): CapabilityError {
  return new CapabilityError(
    'CAPABILITY_MISSING',
    `${broker} with ledger: 'none' ${lacks}: name a ledger, or ask less of task "${task}"`,
    { task },
  )
}
