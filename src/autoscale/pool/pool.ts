import type { ChildProcess } from 'node:child_process'
import type { Depth } from '../../broker.ts'
import type { Clock } from '../../clock.ts'
import { sleep } from '../../clock.ts'
import { OffloadError } from '../../job/errors.ts'
import { smoothed } from '../../worker/fetch-ahead.ts'
import { measure } from '../measure.ts'
import type { Memory, Plan, Reason } from '../policy/policy.ts'
import { decide, noMemory } from '../policy/policy.ts'
import type { Reading } from '../policy/reading.ts'
import type { Crew, CrewRules, Happening, Place } from './crew.ts'
import { isHopeless, LOOP, next, nobody, staff } from './crew.ts'
import type { End } from './processes.ts'
import { Processes } from './processes.ts'

/** What a pool tells of: each is one line. */
export type PoolEvent =
  | {
      readonly event: 'scaled'
      readonly from: number
      readonly to: number
      readonly reason: string
      readonly text: string
      /** Jobs that the workers hold. */
      readonly running: number
      /** How late the event loop of one of them was, at the most. */
      readonly loopDelayMs: number
    }
  | {
      readonly event: 'working'
      readonly worker: number
      readonly pid: number | undefined
      readonly startMs: number
    }
  | ({
      readonly event: 'crashed'
      readonly worker: number
      readonly crashes: number
      readonly isLoop: boolean
      readonly retryInMs: number
    } & End)
  | { readonly event: 'ended'; readonly worker: number; readonly pid: number | undefined }
  /** It was not at work, or not at its end, in time. */
  | {
      readonly event: 'killed'
      readonly worker: number
      readonly phase: 'starting' | 'retiring'
      readonly afterMs: number
    }
  /** More workers would be wanted, or nobody knows: told when the reason changes. */
  | { readonly event: 'held'; readonly workers: number; readonly reason: string; readonly text: string }
  /** The queues cannot be measured; told once until they can. */
  | { readonly event: 'blind'; readonly error: unknown }

export interface PoolParts {
  readonly plan: Plan
  readonly rules: CrewRules
  /** Starts a worker process that speaks as messages.ts says. */
  readonly fork: () => ChildProcess
  /** Of the queues that the workers serve. */
  readonly depths: () => Promise<readonly Depth[]>
  readonly tell: (event: PoolEvent) => void
  /** How busy this host is, with what the workers have computed so far (ms). */
  readonly host: (cpuMs: number) => Reading['host']
  readonly clock: Clock
  readonly random: () => number
}

/** Why there are no more workers although they might help. */
const HOLDS: readonly Reason[] = ['limit', 'host', 'downstream', 'failures', 'fallback']
const MEASURE_EVERY_MS = 1000
const LOOK_EVERY_MS = 100

/** Worker processes on this host: as many as the policy wants, each replaced when it crashes. */
export class Pool {
  readonly #parts: PoolParts
  readonly #processes: Processes
  readonly #stopping = new AbortController()
  #crew: Crew = nobody
  #memory: Memory = noMemory
  /** From the order of a process to its first claim, newer ones weighing more. */
  #startMs: number | undefined
  #held: Reason | undefined
  #isBlind = false

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#processes = new Processes(parts.fork, {
      onWorking: (id, pid) => this.#onWorking(id, pid),
      onEnded: (id, end) => this.#onEnded(id, end),
    })
  }

  /** Jobs that run in the workers, and those that they hold. */
  get running(): number {
    return [...this.#processes.load().values()].reduce((sum, jobs) => sum + jobs, 0)
  }

  /** Why nobody works, or soon will no more; undefined where somebody does, or nobody need. */
  get fault(): string | undefined {
    if (this.#crew.stopping) return 'it is stopping, and takes nothing more'
    const there = staff(this.#crew)
    const isIdle = there.length === 0 && this.#parts.plan.min === 0
    if (isIdle || there.some(({ phase }) => phase === 'working')) return undefined
    const crashed = there.filter(({ crashes }) => crashes > 0).length
    return crashed === 0
      ? 'no worker process is at work yet'
      : `no worker process is at work: ${crashed} of ${there.length} crashed, and are started again`
  }

  /** Resolves when it was stopped and every worker has ended. @throws WORKER_CRASHED no worker can be started */
  async run(): Promise<void> {
    const { clock, plan } = this.#parts
    const letGo = clock.keepAlive()
    this.#do({ type: 'wanted', workers: plan.min, load: new Map() })
    const scaling = this.#scale()
    try {
      while (!this.#stopping.signal.aborted || this.#processes.size > 0) {
        await sleep(clock, LOOK_EVERY_MS)
        this.#do({ type: 'time' })
        if (isHopeless(this.#crew)) throw this.#hopeless()
      }
    } finally {
      this.#stopping.abort()
      this.#processes.killAll()
      await scaling
      letGo()
    }
  }

  /** Every worker ends what it runs, within its grace. */
  stop(): void {
    this.#stopping.abort()
    this.#do({ type: 'stop' })
  }

  /** Ends every process at once. */
  kill(): void {
    this.#processes.killAll()
  }

  async #scale(): Promise<void> {
    const { clock, plan } = this.#parts
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const begun = clock.elapsed()
      const reading = await this.#read()
      if (signal.aborted) return
      const measured = this.#startMs === undefined ? plan : { startMs: this.#startMs, ...plan }
      const { decision, memory } = decide(measured, this.#memory, reading)
      this.#memory = memory
      this.#scaleTo(decision)
      await sleep(clock, Math.max(0, begun + MEASURE_EVERY_MS - clock.elapsed()), signal)
    }
  }

  async #read(): Promise<Reading | undefined> {
    const { clock, depths, tell } = this.#parts
    try {
      const seen = await depths()
      this.#isBlind = false
      const there = staff(this.#crew)
      const workers = there.filter(({ phase }) => phase === 'working').length
      const sums = this.#processes.sums()
      const told = { ...sums, workers, starting: there.length - workers }
      const host = this.#parts.host(sums.cpuMs)
      // Where no worker is, it is not they that fill the host, and the first must come all the same.
      const isTold = host !== undefined && there.length > 0
      return measure(seen, isTold ? { ...told, host } : told, clock.elapsed())
    } catch (error) {
      if (!this.#isBlind && !this.#stopping.signal.aborted) tell({ event: 'blind', error })
      this.#isBlind = true
      return undefined
    }
  }

  #scaleTo({ workers, reason, text }: ReturnType<typeof decide>['decision']): void {
    const from = staff(this.#crew).length
    if (workers === from) {
      this.#tellHeld(reason, text)
      return
    }
    this.#held = undefined
    const loopDelayMs = Math.round(this.#processes.sums().loopDelayMs)
    this.#parts.tell({ event: 'scaled', from, to: workers, reason, text, running: this.running, loopDelayMs })
    this.#do({ type: 'wanted', workers, load: this.#processes.load() })
  }

  #tellHeld(reason: Reason, text: string): void {
    if (reason === this.#held || !HOLDS.includes(reason)) return
    this.#held = reason
    this.#parts.tell({ event: 'held', workers: staff(this.#crew).length, reason, text })
  }

  #onWorking(id: number, pid: number | undefined): void {
    const place = this.#place(id)
    this.#do({ type: 'working', id })
    if (place?.phase !== 'starting') return
    const startMs = this.#since(place)
    this.#startMs = smoothed(this.#startMs, startMs)
    this.#parts.tell({ event: 'working', worker: id, pid, startMs })
  }

  #onEnded(id: number, end: End): void {
    this.#do({ type: 'ended', id })
    const place = this.#place(id)
    const { tell } = this.#parts
    if (place?.phase !== 'waiting') {
      tell({ event: 'ended', worker: id, pid: end.pid })
      return
    }
    const { crashes, dueAt = 0, since } = place
    const retryInMs = Math.round(dueAt - since)
    tell({ event: 'crashed', worker: id, crashes, isLoop: crashes >= LOOP, retryInMs, ...end })
  }

  #do(happening: Happening): void {
    const { rules, clock, random } = this.#parts
    const before = this.#crew
    const { crew, orders } = next(before, happening, rules, clock.elapsed(), random())
    this.#crew = crew
    for (const { type, id } of orders) {
      if (type === 'start') this.#processes.start(id)
      else this.#processes.kill(id, type === 'retire' ? 'SIGTERM' : 'SIGKILL')
      if (type === 'kill') this.#tellKilled(id)
    }
  }

  #tellKilled(id: number): void {
    const place = this.#place(id)
    if (place?.phase !== 'starting' && place?.phase !== 'retiring') return
    this.#parts.tell({ event: 'killed', worker: id, phase: place.phase, afterMs: this.#since(place) })
  }

  #place(id: number): Place | undefined {
    return this.#crew.places.find((place) => place.id === id)
  }

  #since({ since }: Place): number {
    return Math.round(this.#parts.clock.elapsed() - since)
  }

  #hopeless(): OffloadError {
    return new OffloadError(
      'WORKER_CRASHED',
      `no worker process came to work: one has ended ${LOOP} times in a row at its start; what it wrote above says why`,
    )
  }
}
