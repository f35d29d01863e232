import type { BackendOptions } from '../../backend.ts'
import { followUps } from '../../job/follow-up.ts'
import type { Job, JobFault } from '../../job/job.ts'
import { isEnded, isWaiting } from '../../job/job.ts'
import { arrivalOf } from '../../job/past.ts'
import type { Move } from '../../job/state.ts'
import { move, rankAfter } from '../../job/state.ts'
import type { JobEventType } from '../../ledger.ts'
import { jobEventTypes } from '../../ledger.ts'
import { eventOf } from '../events.ts'
import { eventsOf, jobsIn, Wake } from '../wake.ts'
import { Shelves } from './documents.ts'
import type { Entry } from './entry.ts'
import { byRank, Line } from './entry.ts'
import { Events } from './events.ts'
import { Heap } from './heap.ts'
import type { Outbox } from './outbox.ts'
import { Tally } from './tally.ts'

type Ended = 'done' | 'dead' | 'cancelled'

interface Timed {
  readonly at: number
  readonly entry: Entry
}

const byTime = (a: Timed, b: Timed): boolean => a.at < b.at || (a.at === b.at && a.entry.seq < b.entry.seq)

/** The jobs of one store, and what follows from each of their moves. Any number of ledgers may share it. */
export class MemoryStore {
  readonly options: BackendOptions
  readonly wake: Wake
  readonly entries: Map<string, Entry> = new Map()
  /** Which job has an idempotency key. */
  readonly keys: Map<string, Entry> = new Map()
  readonly paused: Set<string> = new Set()
  readonly events: Events = new Events()
  readonly documents: Shelves = new Shelves()
  readonly tally: Tally = new Tally()
  /** From when on a message broker asks. */
  outbox: Outbox | undefined
  readonly #ready = new Map<string, Heap<Entry>>()
  readonly #lines = new Map<string, Map<string, Line>>()
  readonly #ended = { done: new Set<Entry>(), dead: new Set<Entry>(), cancelled: new Set<Entry>() }
  readonly #alarms = new Heap<Timed>(byTime)
  readonly #startable = new Set<string>()
  #following: { readonly seq: number; readonly job: Job }[] = []
  #seq = 0
  #toldEvent = 0
  #armed: { at: number; cancel: () => void } | undefined

  constructor(options: BackendOptions) {
    this.options = options
    this.wake = new Wake(options.clock)
  }

  get now(): number {
    return this.options.clock.now()
  }

  /** Each that ever had a job, or is paused. */
  get queues(): string[] {
    return [...new Set([...this.tally.queues, ...this.paused])].sort()
  }

  readyIn(queue: string): Heap<Entry> {
    let ready = this.#ready.get(queue)
    if (ready === undefined) {
      ready = new Heap(byRank)
      this.#ready.set(queue, ready)
    }
    return ready
  }

  accept(job: Job): void {
    const { record, rank } = arrivalOf(job, this.now)
    const entry: Entry = {
      record,
      seq: ++this.#seq,
      rank,
      open: false,
      isInReady: false,
      alarmAt: Number.POSITIVE_INFINITY,
      owedAt: undefined,
    }
    this.entries.set(job.id, entry)
    if (job.idempotency !== undefined) this.keys.set(job.idempotency.key, entry)
    this.tally.accepted(record)
    if (isEnded(record.state)) this.#ended[record.state as Ended].add(entry)
    this.emit(entry, 'accepted')
    this.#follow(entry)
  }

  /** Makes one move, by the one function that decides. False when it is not legal. */
  apply(entry: Entry, step: Move): boolean {
    const before = entry.record
    const after = move(before, step, this.now)
    if (after === undefined) return false
    entry.record = after
    this.#place(entry, rankAfter(step, after, this.now))
    this.tally.moved(before, after)
    if (step.type !== 'renew') this.emit(entry, eventOf(step, before, after))
    if (isEnded(before.state)) this.#ended[before.state as Ended].delete(entry)
    if (isEnded(after.state)) this.#ended[after.state as Ended].add(entry)
    if (before.state !== after.state) entry.open = false
    this.#follow(entry)
    for (const job of followUps(after, this.now)) this.#following.push({ seq: entry.seq, job })
    return true
  }

  /** A job that died while it waited may still be in the heap, at its old place, when it is revived. */
  #place(entry: Entry, rank: number | undefined): void {
    if (rank === undefined) return
    if (entry.isInReady) this.readyIn(entry.record.queue).remove(entry)
    entry.isInReady = false
    entry.rank = rank
  }

  emit(entry: Entry, type: JobEventType, data?: string): void {
    const { id, queue, task, attempt } = entry.record
    this.events.add({
      type,
      at: this.now,
      jobId: id,
      queue,
      task,
      attempt,
      ...(data === undefined ? {} : { data }),
    })
  }

  forget(entry: Entry): void {
    this.entries.delete(entry.record.id)
    if (entry.record.idempotency !== undefined) this.keys.delete(entry.record.idempotency.key)
    this.tally.forgotten(entry.record)
    if (isEnded(entry.record.state)) this.#ended[entry.record.state as Ended].delete(entry)
  }

  /** Takes out one that another store has now: who stands behind it in its line may go. */
  letGo(entry: Entry): void {
    this.forget(entry)
    entry.open = false
    entry.record = { ...entry.record, state: 'cancelled' }
    const { queue, key } = entry.record
    if (key !== undefined) this.#lineUp(entry, queue, key)
  }

  startable(queue: string): void {
    this.#startable.add(queue)
  }

  /** Makes the moves that time alone makes. */
  moveByTime(): void {
    for (
      let next = this.#alarms.peek();
      next !== undefined && next.at <= this.now;
      next = this.#alarms.peek()
    ) {
      this.#alarms.pop()
      const { entry } = next
      if (entry.alarmAt !== next.at || this.entries.get(entry.record.id) !== entry) continue
      entry.alarmAt = Number.POSITIVE_INFINITY
      this.#ring(entry)
      this.#alarm(entry)
    }
  }

  /** Accepts what follows the ends so far, in the order in which the ended jobs were accepted. */
  follow(): void {
    const following = this.#following.sort((a, b) => a.seq - b.seq)
    this.#following = []
    for (const { job } of following) if (!this.entries.has(job.id)) this.accept(job)
  }

  /** Ends a call: accepts what follows, forgets what is too old, wakes whom it concerns, and sets the clock for what is due next. */
  finish(): void {
    this.follow()
    this.#forgetOld()
    for (const queue of this.#startable) this.wake.notify(jobsIn(queue))
    this.#startable.clear()
    if (this.events.last > this.#toldEvent) {
      this.#toldEvent = this.events.last
      this.wake.notify(eventsOf())
      for (const type of jobEventTypes) this.wake.notify(eventsOf(type))
    }
    const at = this.#alarms.peek()?.at
    if (at === undefined || at >= (this.#armed?.at ?? Number.POSITIVE_INFINITY)) return
    this.#armed?.cancel()
    const cancel = this.options.clock.after(at - this.now, () => {
      this.#armed = undefined
      this.moveByTime()
      this.finish()
    })
    this.#armed = { at, cancel }
  }

  #ring(entry: Entry): void {
    const { state, dueAt, deadline, worker, attempt } = entry.record
    const fault = (code: string, name: string, message: string): JobFault => ({
      code,
      name,
      message,
      attempt,
      at: this.now,
    })
    if (deadline !== undefined && deadline <= this.now && isWaiting(state)) {
      const message = `not started before its deadline ${new Date(deadline).toISOString()}`
      this.apply(entry, { type: 'overdue', fault: fault('DEADLINE_PASSED', 'DeadlinePassed', message) })
    } else if (dueAt !== undefined && dueAt <= this.now) {
      if (state === 'scheduled') this.apply(entry, { type: 'due' })
      else
        this.apply(entry, {
          type: 'lapse',
          fault: fault('LEASE_LOST', 'LeaseLost', `worker ${worker ?? '?'} did not renew its lease`),
        })
    }
  }

  #alarm(entry: Entry): void {
    const { record } = entry
    const at = Math.min(
      record.dueAt ?? Number.POSITIVE_INFINITY,
      (isWaiting(record.state) ? record.deadline : undefined) ?? Number.POSITIVE_INFINITY,
    )
    if (at >= entry.alarmAt) return
    entry.alarmAt = at
    this.#alarms.push({ at, entry })
  }

  /** Puts a changed entry where it belongs. */
  #follow(entry: Entry): void {
    this.#alarm(entry)
    const { queue, key, state } = entry.record
    if (key !== undefined) this.#lineUp(entry, queue, key)
    else if (state === 'queued') this.#open(entry)
  }

  #lineUp(entry: Entry, queue: string, key: string): void {
    let lines = this.#lines.get(queue)
    if (lines === undefined) {
      lines = new Map()
      this.#lines.set(queue, lines)
    }
    const line = lines.get(key) ?? new Line()
    lines.set(key, line)
    const first = line.update(entry)
    if (first !== undefined) this.#open(first)
    if (line.isEmpty) lines.delete(key)
  }

  #open(entry: Entry): void {
    this.#startable.add(entry.record.queue)
    if (entry.open) return
    entry.open = true
    this.outbox?.owe(entry)
    if (entry.isInReady) return
    entry.isInReady = true
    this.readyIn(entry.record.queue).push(entry)
  }

  #forgetOld(): void {
    const { retention } = this.options
    this.events.forget(retention, this.now)
    for (const [entries, maxAgeMs, maxCount] of [
      [this.#ended.done, retention.endedMs, retention.endedCount],
      [this.#ended.cancelled, retention.endedMs, retention.endedCount],
      [this.#ended.dead, retention.deadMs, retention.deadCount],
    ] as const) {
      for (const entry of entries) {
        if (entries.size <= maxCount && (entry.record.endedAt ?? 0) > this.now - maxAgeMs) break
        this.forget(entry)
      }
    }
  }
}
