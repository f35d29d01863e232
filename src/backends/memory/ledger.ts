import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from '../../broker.ts'
import type { Job, JobFault, JobRecord } from '../../job/job.ts'
import { isEnded, MAX_LOG_LINES } from '../../job/job.ts'
import { rank } from '../../job/priority.ts'
import type { Move, Settlement } from '../../job/state.ts'
import { isInLine, move } from '../../job/state.ts'
import type {
  Acted,
  Action,
  ActVerdict,
  DeadFilter,
  FindQuery,
  JobEvent,
  JobEventType,
  Ledger,
  OutboxWant,
  Page,
} from '../../ledger.ts'
import type { EventsPage } from '../database.ts'
import { watchEvents } from '../database.ts'
import { eventOf } from '../events.ts'
import type { Wake } from '../wake.ts'
import { EVENTS, jobsIn } from '../wake.ts'

interface Entry {
  readonly seq: number
  readonly rank: number
  record: JobRecord
  /** When to publish; undefined when it is not due to be. */
  publishAt?: number
  publishedAt?: number
  /** Whether it could be claimed when last looked at. */
  open: boolean
}

/** The reference model: everything in maps, every change of state by the one function that decides. */
export class MemoryLedger implements Ledger {
  readonly #wake: Wake
  readonly #options: BackendOptions
  readonly #jobs = new Map<string, Entry>()
  readonly #paused = new Set<string>()
  #events: JobEvent[] = []
  #lastEvent = 0
  #lastSeq = 0
  #timer: { at: number; cancel: () => void } | undefined

  constructor(wake: Wake, options: BackendOptions) {
    this.#wake = wake
    this.#options = options
  }

  async record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    const now = this.#now()
    const answers = jobs.map((job): Accepted => {
      if (this.#jobs.has(job.id)) return { id: job.id, status: 'duplicate' }
      if (room !== undefined && this.#waiting(job.queue) >= room(job.queue))
        return { id: job.id, status: 'full' }
      this.#add(job, now)
      return { id: job.id, status: 'queued' }
    })
    this.#arm()
    return answers
  }

  async claim(queue: string, want: Want): Promise<readonly Claim[]> {
    const now = this.#tick()
    if (this.#paused.has(queue)) return []
    const open = [...this.#jobs.values()].filter((entry) => entry.open && entry.record.queue === queue)
    open.sort((a, b) => a.rank - b.rank || a.seq - b.seq)
    const leaseUntil = now + want.leaseMs
    const claims = open.slice(0, Math.max(0, want.limit)).map((entry): Claim => {
      this.#apply(entry, { type: 'claim', leaseUntil, worker: want.worker }, now)
      const { attempt, fence } = entry.record
      return { job: jobOf(entry.record), attempt, fence, leaseUntil }
    })
    this.#arm()
    return claims
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    const now = this.#now()
    const answers = settlements.map((settlement) => {
      const entry = this.#held(settlement.claim)
      return entry !== undefined && this.#apply(entry, settlement, now)
    })
    this.#arm()
    return answers
  }

  async renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]> {
    const now = this.#now()
    const answers = beats.map(({ claim, progress, log }): LeaseState => {
      const entry = this.#held(claim)
      if (entry === undefined) return 'lost'
      entry.record = move(entry.record, { type: 'renew', leaseUntil: now + leaseMs }, now) ?? entry.record
      if (log !== undefined && log.length > 0)
        entry.record = { ...entry.record, log: [...entry.record.log, ...log].slice(-MAX_LOG_LINES) }
      if (progress !== undefined) {
        entry.record = { ...entry.record, progress }
        this.#tell('progress', entry.record, now, progress)
      }
      return entry.record.cancelling === true ? 'cancelled' : 'held'
    })
    this.#arm()
    return answers
  }

  async outbox({ published, limit, againMs, lost }: OutboxWant): Promise<readonly Job[]> {
    const now = this.#tick()
    for (const id of published) {
      const entry = this.#jobs.get(id)
      if (entry?.publishAt === undefined) continue
      delete entry.publishAt
      entry.publishedAt = now
    }
    for (const entry of this.#jobs.values()) {
      if (lost === undefined || !entry.open || entry.record.queue !== lost.queue) continue
      if (entry.publishAt === undefined && (entry.publishedAt ?? now) < lost.markedBefore)
        entry.publishAt = now
    }
    const due = [...this.#jobs.values()].filter(
      (entry) => entry.publishAt !== undefined && entry.publishAt <= now,
    )
    due.sort((a, b) => (a.publishAt ?? 0) - (b.publishAt ?? 0) || a.seq - b.seq)
    return due
      .slice(0, Math.max(0, limit))
      .sort((a, b) => a.rank - b.rank || a.seq - b.seq)
      .map((entry) => {
        entry.publishAt = now + againMs
        return jobOf(entry.record)
      })
  }

  async find(query: FindQuery): Promise<Page> {
    this.#tick()
    const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
    const before = query.cursor === undefined ? Number.POSITIVE_INFINITY : Number(query.cursor) || 0
    const fitting = [...this.#jobs.values()]
      .filter(({ seq, record }) => seq < before && fits(record, query))
      .reverse()
    const page = fitting.slice(0, limit)
    const last = page.at(-1)
    return {
      jobs: page.map(({ record }) => record),
      ...(fitting.length > limit && last !== undefined ? { next: String(last.seq) } : {}),
    }
  }

  async depth(queue: string): Promise<Depth> {
    const now = this.#tick()
    const here = [...this.#jobs.values()].filter(({ record }) => record.queue === queue)
    const count = (state: JobRecord['state']): number =>
      here.filter(({ record }) => record.state === state).length
    const oldest = Math.min(...here.filter(({ open }) => open).map(({ record }) => record.createdAt))
    return {
      queue,
      ready: count('queued'),
      running: count('running'),
      scheduled: count('scheduled'),
      dead: count('dead'),
      oldestAgeMs: Number.isFinite(oldest) ? Math.max(0, now - oldest) : null,
      paused: this.#paused.has(queue),
      exact: true,
    }
  }

  async act(action: Action): Promise<Acted> {
    const now = this.#tick()
    const acted = this.#act(action, now)
    this.#arm()
    return acted
  }

  watch(after: number | undefined, signal: AbortSignal): AsyncIterable<readonly JobEvent[]> {
    return watchEvents((position) => this.#read(position), this.#wake, after ?? this.#lastEvent, signal)
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#wake.notify()
  }

  #act(action: Action, now: number): Acted {
    switch (action.type) {
      case 'cancel':
        return each(action.ids, (id) => {
          const entry = this.#jobs.get(id)
          if (entry === undefined) return 'unknown'
          const ran = entry.record.state === 'running'
          if (!this.#apply(entry, { type: 'cancel' }, now)) return 'ended'
          return ran ? 'cancelling' : 'done'
        })
      case 'retry':
        return each(action.ids, (id) => {
          const entry = this.#jobs.get(id)
          if (entry === undefined) return 'unknown'
          return this.#apply(entry, { type: 'revive' }, now) ? 'done' : 'refused'
        })
      case 'redrive':
        return {
          count: this.#dead(action).filter((entry) => this.#apply(entry, { type: 'revive' }, now)).length,
          verdicts: [],
        }
      case 'purge':
        return {
          count: this.#dead(action).filter(({ record }) => this.#jobs.delete(record.id)).length,
          verdicts: [],
        }
      case 'pause':
        this.#paused.add(action.queue)
        return { count: 1, verdicts: [] }
      case 'resume':
        this.#paused.delete(action.queue)
        this.#wake.notify(jobsIn(action.queue))
        return { count: 1, verdicts: [] }
    }
  }

  #dead({ filter, before, limit }: { filter: DeadFilter; before: number; limit: number }): Entry[] {
    const { ids, queue, task } = filter
    return [...this.#jobs.values()]
      .filter(({ record }) => record.state === 'dead' && (record.endedAt ?? 0) < before)
      .filter(({ record }) =>
        fits(record, { ...(ids && { ids }), ...(queue && { queue }), ...(task && { task }) }),
      )
      .slice(0, limit)
  }

  #now(): number {
    return this.#options.clock.now()
  }

  #add(job: Job, now: number): void {
    const scheduled = job.runAt !== undefined && job.runAt > now
    const record: JobRecord = {
      ...job,
      state: scheduled ? 'scheduled' : 'queued',
      attempt: 0,
      fence: 0,
      faults: [],
      log: [],
      ...(scheduled && job.runAt !== undefined ? { dueAt: job.runAt } : {}),
    }
    const entry: Entry = { seq: ++this.#lastSeq, rank: rank(now, job.priority), record, open: false }
    this.#jobs.set(job.id, entry)
    this.#tell('accepted', record, now)
    this.#reopen(entry, now)
  }

  #apply(entry: Entry, how: Move, now: number): boolean {
    const before = entry.record
    const after = move(before, how, now)
    if (after === undefined) return false
    entry.record = after
    this.#tell(eventOf(how, before, after), after, now)
    this.#reopen(entry, now)
    return true
  }

  /** Looks anew at who may be claimed: the job itself, and the line of its key. */
  #reopen(entry: Entry, now: number): void {
    const { queue, key } = entry.record
    const line = key === undefined ? [entry] : [entry, ...this.#line(queue, key)]
    const first = key === undefined ? entry : line.slice(1).sort(byPlace)[0]
    for (const one of new Set(line)) this.#setOpen(one, one === first && one.record.state === 'queued', now)
  }

  #line(queue: string, key: string): Entry[] {
    return [...this.#jobs.values()].filter(
      ({ record }) => record.queue === queue && record.key === key && isInLine(record),
    )
  }

  #setOpen(entry: Entry, open: boolean, now: number): void {
    if (open === entry.open) return
    entry.open = open
    if (open) {
      entry.publishAt = now
      delete entry.publishedAt
      this.#wake.notify(jobsIn(entry.record.queue))
    } else delete entry.publishAt
  }

  #held({ job, fence }: Settlement['claim']): Entry | undefined {
    const entry = this.#jobs.get(job.id)
    return entry !== undefined && entry.record.state === 'running' && entry.record.fence === fence
      ? entry
      : undefined
  }

  #waiting(queue: string): number {
    return [...this.#jobs.values()].filter(
      ({ record }) => record.queue === queue && (record.state === 'queued' || record.state === 'scheduled'),
    ).length
  }

  /** Makes the moves that are due and forgets what is old; answers the time. */
  #tick(): number {
    const now = this.#now()
    const all = [...this.#jobs.values()]
    for (const entry of all.filter(({ record }) => (record.deadline ?? Number.POSITIVE_INFINITY) <= now)) {
      const { attempt, deadline } = entry.record
      this.#apply(
        entry,
        {
          type: 'overdue',
          fault: fault(
            'DEADLINE_PASSED',
            'DeadlinePassed',
            `not started before its deadline ${new Date(deadline ?? 0).toISOString()}`,
            attempt,
            now,
          ),
        },
        now,
      )
    }
    const due = all.filter(({ record }) => (record.dueAt ?? Number.POSITIVE_INFINITY) <= now)
    due.sort((a, b) => (a.record.dueAt ?? 0) - (b.record.dueAt ?? 0) || a.seq - b.seq)
    for (const entry of due) {
      if (entry.record.state === 'scheduled') this.#apply(entry, { type: 'due' }, now)
      else
        this.#apply(
          entry,
          {
            type: 'lapse',
            fault: fault(
              'LEASE_LOST',
              'LeaseLost',
              `worker ${entry.record.worker ?? '?'} did not renew its lease`,
              entry.record.attempt,
              now,
            ),
          },
          now,
        )
    }
    this.#forgetOld(now)
    return now
  }

  #forgetOld(now: number): void {
    const { endedMs, endedCount, deadMs, deadCount, eventsMs, eventsCount } = this.#options.retention
    const states = [
      ['done', endedMs, endedCount],
      ['cancelled', endedMs, endedCount],
      ['dead', deadMs, deadCount],
    ] as const
    for (const [state, maxAgeMs, maxCount] of states) {
      const ended = [...this.#jobs.values()].filter(({ record }) => record.state === state)
      ended.sort((a, b) => (a.record.endedAt ?? 0) - (b.record.endedAt ?? 0))
      ended.forEach(({ record }, index) => {
        if (index < ended.length - maxCount || (record.endedAt ?? now) <= now - maxAgeMs)
          this.#jobs.delete(record.id)
      })
    }
    const from = this.#events.findIndex(
      ({ at, eventId }) => at > now - eventsMs && eventId > this.#lastEvent - eventsCount,
    )
    if (from !== 0) this.#events = this.#events.slice(from < 0 ? -1 : from)
  }

  /** Sees to it that somebody looks when the next job is due. */
  #arm(): void {
    let at = Number.POSITIVE_INFINITY
    for (const { record } of this.#jobs.values()) {
      if (!isEnded(record.state))
        at = Math.min(at, record.dueAt ?? at, record.state === 'running' ? at : (record.deadline ?? at))
    }
    if (at >= (this.#timer?.at ?? Number.POSITIVE_INFINITY)) return
    this.#timer?.cancel()
    const cancel = this.#options.clock.after(Math.max(0, at - this.#now()), () => {
      this.#timer = undefined
      this.#tick()
      this.#arm()
    })
    this.#timer = { at, cancel }
  }

  #tell(type: JobEventType, job: JobRecord, at: number, data?: string): void {
    const { id: jobId, queue, task, attempt } = job
    this.#events.push({
      eventId: ++this.#lastEvent,
      type,
      at,
      jobId,
      queue,
      task,
      attempt,
      ...(data === undefined ? {} : { data }),
    })
    this.#wake.notify(EVENTS)
  }

  #read(after: number | undefined): EventsPage {
    if (after === undefined || after >= this.#lastEvent)
      return { events: [], next: this.#lastEvent, gap: false }
    const events = this.#events.filter(({ eventId }) => eventId > after)
    return { events, next: this.#lastEvent, gap: after + 1 < (this.#events[0]?.eventId ?? 0) }
  }
}

/** Who runs, else who has begun before, else who was accepted first. */
function byPlace(a: Entry, b: Entry): number {
  const place = ({ record }: Entry): number => (record.state === 'running' ? 0 : record.fence > 0 ? 1 : 2)
  return place(a) - place(b) || a.seq - b.seq
}

function each(ids: readonly string[], one: (id: string) => ActVerdict): Acted {
  const verdicts = ids.map(one)
  return {
    count: verdicts.filter((verdict) => verdict === 'done' || verdict === 'cancelling').length,
    verdicts,
  }
}

function fits(job: JobRecord, query: FindQuery): boolean {
  if (query.ids !== undefined && !query.ids.includes(job.id)) return false
  if (query.queue !== undefined && query.queue !== job.queue) return false
  if (query.state !== undefined && query.state !== job.state) return false
  if (query.task !== undefined && query.task !== job.task) return false
  if (query.key !== undefined && query.key !== job.key) return false
  return (
    job.createdAt >= (query.from ?? Number.NEGATIVE_INFINITY) &&
    job.createdAt < (query.to ?? Number.POSITIVE_INFINITY)
  )
}

function jobOf(record: JobRecord): Job {
  const { id, task, queue, payload, priority, createdAt, maxAttempts, key, runAt, deadline, trace } = record
  return {
    id,
    task,
    queue,
    payload,
    priority,
    createdAt,
    maxAttempts,
    ...(key === undefined ? {} : { key }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(trace === undefined ? {} : { trace }),
  }
}

function fault(code: string, name: string, message: string, attempt: number, at: number): JobFault {
  return { code, name, message, attempt, at }
}
