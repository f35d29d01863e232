import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Registry } from 'prom-client'
import type { Plan } from '../autoscale/policy/policy.ts'
import { hostWatch } from '../autoscale/pool/host.ts'
import type { PoolEvent } from '../autoscale/pool/pool.ts'
import { Pool } from '../autoscale/pool/pool.ts'
import { askOf } from '../autoscale/scale/ask.ts'
import { systemClock } from '../clock.ts'
import { toMs } from '../duration.ts'
import type { Check } from '../observe/health/health.ts'
import type { ScalingLog } from '../presence/scaling.ts'
import type { ScalingDecision } from '../presence/view.ts'
import { hideSecrets } from '../secrets.ts'
import type { Call } from './call.ts'
import { usageError } from './call.ts'
import type { PoolMetrics } from './pool-metrics.ts'
import { POOL_MARK } from './pool-worker.ts'
import type { Signals } from './signals.ts'
import { span } from './times.ts'
import type { Shift } from './worker.ts'
import { queuesOf, tellStopping } from './worker.ts'

/** A process may take so long to load its modules and open its queue. */
const START_MS = 60_000
/** What a worker may take to end beyond the time that its handlers have: to give back, and to close. */
export const BEYOND_MS = 5000

/** How many processes are asked for; undefined when it is one. @throws USAGE_INVALID, OPTION_INVALID */
export function poolPlan(call: Call): Plan | undefined {
  const [min, max, targetAge] = [call.number('min'), call.number('max'), call.duration('target-age')]
  if (min === undefined && max === undefined) {
    if (targetAge === undefined) return undefined
    throw usageError('--target-age is what a number of processes is chosen by: give --max, too')
  }
  const { queues: _, ...plan } = askOf({
    min: min ?? 1,
    max: max ?? Math.max(min ?? 1, availableParallelism()),
    concurrency: call.number('concurrency') ?? 10,
    ...(targetAge === undefined ? {} : { targetAge }),
  })
  return plan
}

/** Makes ready to run worker processes; what each does is what this command line says. @throws USAGE_INVALID */
export async function poolOf(
  shift: Shift,
  plan: Plan,
  register: Registry | undefined,
): Promise<WorkerProcesses> {
  const queues = queuesOf(shift)
  if (queues.length === 0)
    throw usageError('the module does not tell its queues: name them, --queues default')
  const metrics = register && new (await import('./pool-metrics.ts')).PoolMetrics(register)
  return new WorkerProcesses(shift, plan, queues, metrics)
}

/** The worker processes of a command line. */
export class WorkerProcesses {
  /** Of all of them; undefined where nothing counts. */
  readonly metrics: PoolMetrics | undefined
  readonly #shift: Shift
  readonly #plan: Plan
  readonly #queues: readonly string[]
  readonly #pool: Pool
  readonly #cache = new CodeCache()
  #log: ScalingLog | undefined

  constructor(shift: Shift, plan: Plan, queues: readonly string[], metrics: PoolMetrics | undefined) {
    const { queue, stopTimeout } = shift
    this.#shift = shift
    this.#plan = plan
    this.#queues = queues
    this.metrics = metrics
    this.#pool = new Pool({
      plan,
      rules: { graceMs: toMs(stopTimeout, '--timeout') + BEYOND_MS, startMs: START_MS },
      fork: () => this.#fork(),
      depths: () => Promise.all(queues.map((name) => queue.depth(name))),
      tell: (event) => this.#tell(event),
      host: hostWatch(),
      clock: systemClock,
      random: Math.random,
    })
  }

  /** Whether any of them works. */
  check(): Check {
    const { fault } = this.#pool
    return fault === undefined ? { name: 'workers' } : { name: 'workers', fault }
  }

  /** Runs them until a signal. @throws WORKER_CRASHED */
  async run(signals: Signals): Promise<void> {
    const { call, queue } = this.#shift
    signals.onForced = () => {
      call.terminal.note('ended by force')
      this.#pool.kill()
      this.#cache.remove()
    }
    void signals.first.then((signal) => {
      tellStopping(call, signal, this.#pool.running)
      this.#pool.stop()
    })
    this.#log = queue.tellScaling({ queues: this.#queues, ...this.#plan })
    const ticking = new AbortController()
    // With no worker there is none to tick the schedules that would make work for one.
    const ticked = this.#plan.min === 0 ? queue.schedules.tick(ticking.signal) : undefined
    try {
      await this.#pool.run()
    } finally {
      ticking.abort()
      await Promise.all([ticked, this.#log?.end()])
      this.#cache.remove()
    }
  }

  #fork(): ChildProcess {
    const child = startAgain(this.#cache)
    return this.metrics?.watch(child) ?? child
  }

  #tell(event: PoolEvent): void {
    tell(this.#shift.call, event)
    const decision = decisionOf(event)
    if (decision !== undefined) this.#log?.note(decision)
  }
}

/** What of it others are told, who look at the store. */
function decisionOf(event: PoolEvent): ScalingDecision | undefined {
  if (event.event !== 'scaled' && event.event !== 'held') return undefined
  const { reason, text } = event
  const change =
    event.event === 'held' ? { from: event.workers, to: event.workers } : { from: event.from, to: event.to }
  return { at: Date.now(), ...change, reason, text }
}

/** Where workers keep their compiled code for the next: it starts in half the time, and a surge waits for nothing else. */
class CodeCache {
  readonly #given = process.env.NODE_COMPILE_CACHE
  #made: string | undefined

  /** What a worker process is to have in its environment. */
  env(): NodeJS.ProcessEnv {
    const own = this.#given === undefined
    this.#made ??= own ? mkdtempSync(join(tmpdir(), 'offload-code-')) : undefined
    return { NODE_COMPILE_CACHE: this.#made ?? this.#given, [POOL_MARK]: this.#made ?? 'none' }
  }

  remove(): void {
    if (this.#made !== undefined) rmSync(this.#made, { recursive: true, force: true })
  }
}

/** This program with its own command line: marked, it runs jobs in one process. */
function startAgain(cache: CodeCache): ChildProcess {
  return fork(process.argv[1] ?? '', process.argv.slice(2), {
    env: { ...process.env, ...cache.env() },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

function tell({ terminal }: Call, event: PoolEvent): void {
  const shown = event.event === 'blind' ? { ...event, error: hideSecrets(String(event.error)) } : event
  terminal.data(shown)
  const text = textOf(event)
  if (event.event === 'crashed' || event.event === 'killed' || event.event === 'blind')
    terminal.note([{ text: 'warning:', style: 'yellow' }, ` ${text}`])
  else terminal.print(text)
}

/** Each event as a line for people. */
export function textOf(event: PoolEvent): string {
  switch (event.event) {
    case 'scaled':
      return `${event.to} ${event.to === 1 ? 'worker' : 'workers'}, was ${event.from}: ${event.text} (${event.reason})`
    case 'held':
      return `${event.workers} ${event.workers === 1 ? 'worker stays' : 'workers stay'}: ${event.text} (${event.reason})`
    case 'working':
      return `worker ${event.worker} works (pid ${event.pid}), ready after ${span(event.startMs)}`
    case 'ended':
      return `worker ${event.worker} ended (pid ${event.pid})`
    case 'crashed': {
      const { worker, pid, code, signal, crashes, isLoop, retryInMs } = event
      const how =
        pid === undefined ? 'could not be started' : `(pid ${pid}) ended unasked with ${signal ?? code}`
      const often = crashes === 1 ? '' : `, ${crashes} times in a row${isLoop ? ': a crash loop' : ''}`
      return `worker ${worker} ${how}${often}; another takes its place in ${span(retryInMs)}`
    }
    case 'killed':
      return event.phase === 'starting'
        ? `worker ${event.worker} did not come to work within ${span(event.afterMs)}: killed`
        : `worker ${event.worker} did not end within ${span(event.afterMs)}: killed; what it ran runs again when its lease is over`
    case 'blind':
      return `the queues cannot be measured, the workers stay as they are: ${hideSecrets(String(event.error))}`
  }
}
