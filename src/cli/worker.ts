import type { Plan } from '../autoscale/policy/policy.ts'
import type { Duration } from '../duration.ts'
import type { Offload } from '../offload.ts'
import type { Schedule } from '../schedule/schedule.ts'
import { hideSecrets } from '../secrets.ts'
import type { AnyTask } from '../task.ts'
import type { WorkOptions } from '../worker/work-plan.ts'
import type { Worker } from '../worker/worker.ts'
import type { Call } from './call.ts'
import type { Loaded } from './module.ts'
import { nearest } from './nearest.ts'
import type { OwnPool } from './pool-worker.ts'
import type { Counts } from './probes.ts'
import { whenOf } from './schedules.ts'
import type { Signals } from './signals.ts'
import { placeOf } from './store.ts'

/** What a command line says of the work to be done. */
export interface Shift {
  readonly call: Call
  readonly loaded: Loaded
  readonly queue: Offload
  /** The queue is the module's. */
  readonly isOwn: boolean
  readonly options: WorkOptions
  readonly stopTimeout: Duration
}

/** Opens the queue, and tells what begins and what is odd about it. */
export async function begin(shift: Shift, plan: Plan | undefined, health: string | undefined): Promise<void> {
  const { call, loaded, queue, isOwn, options } = shift
  warnOfStrangers(call, options.queues ?? [], loaded.tasks)
  await queue.ready()
  if (isOwn) await warnOfLost(call, queue, loaded.schedules)
  tellStart(shift, plan, health)
}

/** Runs jobs in this process. */
export async function runUntilSignal(shift: Shift, { first }: Signals): Promise<void> {
  const { call, stopTimeout } = shift
  const worker = start(shift)
  const signal = await first
  tellStopping(call, signal, worker.health().running)
  await worker.stop({ timeout: stopTimeout })
}

/** Runs jobs in this process until the pool that started it says so, or is gone. */
export async function runInPool(shift: Shift, pool: OwnPool, counts: Counts | undefined): Promise<void> {
  const { queue, stopTimeout } = shift
  const tellMetrics =
    counts === undefined ? undefined : (await import('./pool-metrics.ts')).tellMetrics(counts.register)
  try {
    await queue.ready()
    if (pool.isRetired()) return
    const worker = start(shift)
    const tellNoMore = pool.tellOf(worker)
    await pool.retired
    await worker.stop({ timeout: stopTimeout })
    tellNoMore()
    await tellMetrics?.()
  } finally {
    await queue.close()
  }
}

function start({ call, queue, isOwn, options }: Shift): Worker {
  const worker = queue.work(options)
  if (isOwn) worker.on('error', ({ error }) => call.terminal.note(`trouble: ${hideSecrets(String(error))}`))
  return worker
}

/** The queues that are worked on; none where only the module's queue knows them. */
export function queuesOf({ options, loaded }: Shift): readonly string[] {
  return options.queues ?? [...new Set(loaded.tasks.map(({ queue }) => queue))]
}

export function tellStopping({ terminal }: Call, signal: NodeJS.Signals, running: number): void {
  terminal.data({ event: 'stopping', signal, running })
  terminal.print(`${signal}: stopping, ${running} running; again to end at once`)
}

export function tellStopped({ terminal }: Call): void {
  terminal.data({ event: 'stopped' })
  terminal.print('stopped')
}

/** A slip in the name of a queue would be a worker that waits for ever. */
function warnOfStrangers(call: Call, queues: readonly string[], tasks: readonly AnyTask[]): void {
  const known = new Set(tasks.map(({ queue }) => queue))
  if (known.size === 0) return
  for (const queue of queues) {
    if (known.has(queue)) continue
    const near = nearest(queue, known)
    call.terminal.note([
      { text: 'warning:', style: 'yellow' },
      ` no task of the module goes to queue ${queue}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    ])
  }
}

/** A queue stores the schedules that it was made with; one that was forgotten there would never tick. */
async function warnOfLost(call: Call, queue: Offload, schedules: readonly Schedule[]): Promise<void> {
  for (const { name } of schedules) {
    if ((await queue.schedules.get(name)) !== undefined) continue
    call.terminal.note([
      { text: 'warning:', style: 'yellow' },
      ` schedule ${name} is exported, but not stored: give it to the queue, offload({ schedules: [...] })`,
    ])
  }
}

function tellStart(shift: Shift, plan: Plan | undefined, health: string | undefined): void {
  const { call, loaded, isOwn, options } = shift
  const { tasks, schedules } = loaded
  const queues = queuesOf(shift)
  const names = tasks.map(({ name }) => name)
  const { concurrency = 10 } = options
  const ticks = schedules.map(({ name, timing }) => `${name} (${whenOf(timing)})`)
  const url = isOwn ? undefined : hideSecrets(placeOf(call).url)
  call.terminal.data({
    event: 'started',
    pid: process.pid,
    queues,
    tasks: names,
    schedules: schedules.map(({ name }) => name),
    concurrency,
    ...(plan === undefined ? {} : { min: plan.min, max: plan.max, targetAgeMs: plan.targetAgeMs }),
    url,
    health,
  })
  const crowd =
    plan === undefined
      ? `${concurrency} at once`
      : `${concurrency} at once in each of ${plan.min} to ${plan.max} processes`
  call.terminal.print(
    `working on ${queues.join(', ') || 'the queues of its tasks'}, ${crowd}, ${url ?? "the module's own queue"}`,
    ...(names.length === 0 ? [] : [`tasks: ${names.join(', ')}`]),
    ...(ticks.length === 0 ? [] : [`schedules: ${ticks.join(', ')}`]),
    ...(health === undefined ? [] : [`health: ${health}/readyz`]),
  )
}
