import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from '../../broker.ts'
import type { Documents } from '../../documents.ts'
import type { Job, JobFault } from '../../job/job.ts'
import { MAX_FAULTS, MAX_LOG_LINES } from '../../job/job.ts'
import type { Move, Settlement } from '../../job/state.ts'
import type {
  Acted,
  Action,
  ActVerdict,
  FindQuery,
  JobEvent,
  JobEventType,
  Ledger,
  OutboxWant,
  Page,
} from '../../ledger.ts'
import { jobEventTypes } from '../../ledger.ts'
import { watchEvents } from '../database.ts'
import { eventsOf, jobsIn } from '../wake.ts'
import { acceptedOf, arrivalsOf, followersOf } from './accept.ts'
import type { Change } from './change.ts'
import { changeOf, grouped, letGoOf, purgeOf } from './change.ts'
import type { Claims } from './claim.ts'
import { claimsOf, receiptOf } from './claim.ts'
import type { Stored } from './codec.ts'
import { parseStored } from './codec.ts'
import type { Connection } from './connection.ts'
import { redisDocuments } from './documents.ts'
import { deadIds, depthOf, eventsPage, findPage } from './find.ts'
import type { Hints } from './hints.ts'
import { scripts } from './scripts/index.ts'

const TIDY_MS = 5000
const TIDY_AGAIN_MS = 5
const BATCH = 500
/** A job that changes hands faster than we can look is given up on after so many looks. */
const LOOKS = 10

/** What is decided of one job, and where its answer goes. */
interface Decided {
  readonly stored: Stored
  readonly change: Change
  readonly index: number
}

/** The whole store in one Redis: every call is one script, and so one atomic step. */
export class RedisLedger implements Ledger {
  readonly documents: Documents
  readonly #at: Connection
  readonly #hints: Hints
  readonly #options: BackendOptions
  #timer: { at: number; cancel: () => void } | undefined
  #cancelTidy: () => void
  #closed = false

  constructor(at: Connection, hints: Hints, options: BackendOptions) {
    this.#at = at
    this.#hints = hints
    this.#options = options
    this.documents = redisDocuments(at, hints)
    this.#cancelTidy = options.clock.after(TIDY_MS, () => void this.#tidy())
  }

  async record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    if (jobs.length === 0) return []
    const now = this.#at.now()
    const { groups, texts } = arrivalsOf(jobs, now, room)
    const answering = this.#at.accept(scripts.accept, { args: { groups }, texts })
    // Who waits for a job asks now, and is given it in the same round trip.
    for (const queue of new Set(groups.map(({ queue }) => queue))) this.#hints.notify(jobsIn(queue))
    const { answer, isAgain } = await answering
    this.#notifyEvents('accepted')
    for (const { due, deadline } of groups) this.#arm(Math.min(due ?? Infinity, deadline ?? Infinity))
    return acceptedOf(jobs, answer as (string | number)[], isAgain)
  }

  async claim(queue: string, want: Want): Promise<readonly Claim[]> {
    if (want.limit < 1) return []
    for (;;) {
      const now = this.#at.now()
      const answer = await this.#claim(queue, want, now)
      if (answer.kind === 'due') {
        await this.#moveByTime()
        continue
      }
      if (answer.kind === 'none' && answer.dueAt !== undefined) this.#arm(answer.dueAt)
      if (answer.claims.length > 0) {
        this.#arm(now + want.leaseMs)
        this.#notifyEvents('started')
      }
      return answer.claims
    }
  }

  async #claim(queue: string, want: Want, now: number): Promise<Claims> {
    const fresh = JSON.stringify({ s: 'r', a: 1, f: 1, t: now, w: want.worker })
    const leaseUntil = now + want.leaseMs
    const args = {
      queue,
      limit: Math.min(want.limit, 1000),
      worker: want.worker,
      fresh,
      until: leaseUntil,
      now,
    }
    return claimsOf((await this.#at.run(scripts.claim, { args })) as string[], fresh, leaseUntil)
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    const answers: boolean[] = new Array(settlements.length).fill(false)
    const met = new Set<string>()
    const open = new Map<number, Stored | undefined>()
    settlements.forEach(({ claim }, index) => {
      const name = `${claim.fence} ${claim.job.id}`
      if (!met.has(name)) open.set(index, receiptOf(claim))
      met.add(name)
    })
    // What is not as the claim left it is looked at: a cancel may have come, or the lease is lost.
    for (let looks = 0; open.size > 0 && looks < LOOKS; looks++) {
      await this.#lookAgain(settlements, open)
      const now = this.#at.now()
      const decided: Decided[] = []
      for (const [index, stored] of open) {
        const change = stored && changeOf(stored, settlements[index] as Settlement, now)
        if (stored === undefined || change === undefined) open.delete(index)
        else decided.push({ stored, change, index })
      }
      const refused = (await this.#apply(decided, { whole: true })).filter((one) => one.refused)
      for (const { index } of refused) open.set(index, undefined)
      if (refused.length > 0) continue
      for (const { index } of decided) answers[index] = true
      break
    }
    return answers
  }

  /** Finds the claims that are not known as they are; those that are no longer held are left out. */
  async #lookAgain(settlements: readonly Settlement[], open: Map<number, Stored | undefined>): Promise<void> {
    const unknown = [...open].filter(([, stored]) => stored === undefined).map(([index]) => index)
    if (unknown.length === 0) return
    const claimOf = (index: number): Settlement['claim'] => (settlements[index] as Settlement).claim
    const found = await this.#look(unknown.map((index) => claimOf(index).job.id))
    const byId = new Map(found.map((stored) => [stored.id, stored]))
    for (const index of unknown) {
      const { job, fence } = claimOf(index)
      const stored = byId.get(job.id)
      if (stored?.header?.s === 'r' && stored.header.f === fence) open.set(index, stored)
      else open.delete(index)
    }
  }

  async renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]> {
    if (beats.length === 0) return []
    const now = this.#at.now()
    const args = {
      now,
      until: now + leaseMs,
      maxLines: MAX_LOG_LINES,
      beats: beats.map(({ claim, progress, log }) => ({
        id: claim.job.id,
        fence: claim.fence,
        progress,
        log: log !== undefined && log.length > 0 ? log : undefined,
      })),
    }
    const states = (await this.#at.run(scripts.renew, { args })) as LeaseState[]
    this.#arm(now + leaseMs)
    if (beats.some(({ progress }) => progress !== undefined)) this.#notifyEvents('progress')
    return states
  }

  async outbox(want: OutboxWant): Promise<readonly Job[]> {
    await this.#moveByTime()
    const { published, limit, againMs, lost } = want
    const args = { published, limit, again: againMs, lost }
    const rows = (await this.#at.run(scripts.outbox, { args })) as string[]
    const jobs: Stored[] = []
    for (let at = 0; at < rows.length; at += 3)
      jobs.push(parseStored(rows[at] ?? '', rows[at + 1] ?? '', rows[at + 2] ?? ''))
    return jobs.sort(byRank).map(({ body }) => body.job)
  }

  async find(query: FindQuery): Promise<Page> {
    await this.#moveByTime()
    return findPage(this.#at, query)
  }

  async depth(queue: string): Promise<Depth> {
    await this.#moveByTime()
    return depthOf(this.#at, queue)
  }

  async act(action: Action): Promise<Acted> {
    await this.#moveByTime()
    switch (action.type) {
      case 'cancel':
        return this.#each(action.ids, { type: 'cancel' }, 'ended')
      case 'retry':
        return this.#each(action.ids, { type: 'revive' }, 'refused')
      case 'redrive':
      case 'purge':
        return this.#bulk(action)
      case 'pause':
      case 'resume':
        await this.#at.run(scripts.pause, { args: { queue: action.queue, paused: action.type === 'pause' } })
        if (action.type === 'resume') this.#hints.notify(jobsIn(action.queue))
        return { count: 1, verdicts: [] }
      case 'forget':
        return this.#forget(action.ids)
    }
  }

  watch(
    after: number | undefined,
    signal: AbortSignal,
    only?: JobEventType,
  ): AsyncIterable<readonly JobEvent[]> {
    // No script: one that the server has not got yet is said again, after what is asked meanwhile.
    const first = this.#at
      .command('HGET', this.#at.key('meta'), 'events')
      .then((last) => after ?? Number(last))
    // Whoever never reads is told of no fault.
    first.catch(() => {})
    return watchEvents(
      async (position) => eventsPage(this.#at, position ?? (await first), only),
      this.#hints,
      after,
      signal,
      only,
    )
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#cancelTidy()
    this.#hints.close()
    this.#at.close()
  }

  /** Makes moves that are decided; answers which were refused, as the job was not as it was seen. */
  async #apply(
    decided: readonly Decided[],
    more: { readonly whole?: true; readonly stray?: Readonly<Record<string, readonly string[]>> } = {},
  ): Promise<{ index: number; refused: boolean }[]> {
    if (decided.length === 0 && more.stray === undefined) return []
    const groups = grouped(decided.map(({ change }) => change))
    const follows = decided
      .flatMap(({ change }) =>
        change.follows.map((job) => ({ seq: change.seq, parent: change.group.ids[0] ?? '', job })),
      )
      .sort((a, b) => a.seq - b.seq)
    const arrivals = followersOf(follows, this.#at.now())
    const follow = arrivals.groups.length > 0 ? { follow: arrivals.groups } : {}
    const args = { groups, maxFaults: MAX_FAULTS, ...follow, ...more }
    const answer = (await this.#at.run(scripts.apply, { args, texts: arrivals.texts })) as number[]
    const refused = new Set<string>()
    for (let at = 0; at < answer.length; at += 2) refused.add(`${answer[at]} ${answer[at + 1]}`)
    this.#told(
      groups,
      follows.map(({ job }) => job),
    )
    let [group, nth] = [0, -1]
    return decided.map(({ index }) => {
      if (++nth === groups[group]?.ids.length) [group, nth] = [group + 1, 0]
      return { index, refused: refused.has(`${group} ${nth}`) }
    })
  }

  #told(groups: ReturnType<typeof grouped>, follows: readonly Job[]): void {
    for (const { event, queue, to, score, deadline, key } of groups) {
      if (event !== undefined) this.#notifyEvents(jobEventTypes[event])
      if (to === 'ready' || key !== undefined) this.#hints.notify(jobsIn(queue))
      if (to === 'scheduled') this.#arm(score ?? Infinity)
      if (deadline !== undefined) this.#arm(deadline)
    }
    for (const { queue } of follows) this.#hints.notify(jobsIn(queue))
    if (follows.length > 0) this.#notifyEvents('accepted')
  }

  /** Decides on a job as it is, until it still is so when the move is made. Undefined for a job that is unknown. */
  async #move(
    id: string,
    decide: (stored: Stored) => Move | undefined,
  ): Promise<{ before: Stored; isMade: boolean } | undefined> {
    let before: Stored | undefined
    for (let looks = 0; looks < LOOKS; looks++) {
      ;[before] = await this.#look([id])
      if (before === undefined) return undefined
      const step = decide(before)
      const change = step === undefined ? undefined : changeOf(before, step, this.#at.now())
      if (change === undefined) break
      const [made] = await this.#apply([{ stored: before, change, index: 0 }])
      if (made?.refused === false) return { before, isMade: true }
    }
    return before && { before, isMade: false }
  }

  async #look(ids: readonly string[]): Promise<Stored[]> {
    const [, , rows] = (await this.#at.run(scripts.page, { args: { ids } })) as [string, string, string[]]
    return storedOf(rows)
  }

  async #each(ids: readonly string[], step: Move, otherwise: ActVerdict): Promise<Acted> {
    const verdicts: ActVerdict[] = []
    for (const id of ids) {
      const moved = await this.#move(id, () => step)
      if (moved === undefined) verdicts.push('unknown')
      else if (!moved.isMade) verdicts.push(otherwise)
      else verdicts.push(step.type === 'cancel' && moved.before.header?.s === 'r' ? 'cancelling' : 'done')
    }
    const count = verdicts.filter((verdict) => verdict === 'done' || verdict === 'cancelling').length
    return { count, verdicts }
  }

  async #bulk(action: Extract<Action, { type: 'redrive' | 'purge' }>): Promise<Acted> {
    const found = await deadIds(this.#at, action)
    const now = this.#at.now()
    const decided = found.flatMap((stored, index) => {
      const change = action.type === 'purge' ? purgeOf(stored) : changeOf(stored, { type: 'revive' }, now)
      return change === undefined ? [] : [{ stored, change, index }]
    })
    let count = 0
    for (let from = 0; from < decided.length; from += BATCH)
      for (const { refused } of await this.#apply(decided.slice(from, from + BATCH))) if (!refused) count++
    return { count, verdicts: [] }
  }

  async #forget(ids: readonly string[]): Promise<Acted> {
    const verdicts = new Map<string, ActVerdict>()
    let open = [...new Set(ids)]
    for (let looks = 0; looks < LOOKS && open.length > 0; looks++) {
      const again: string[] = []
      for (let from = 0; from < open.length; from += BATCH)
        again.push(...(await this.#letGo(open.slice(from, from + BATCH), verdicts)))
      open = again
    }
    const all = ids.map((id) => verdicts.get(id) ?? 'refused')
    return { count: all.filter((verdict) => verdict === 'done').length, verdicts: all }
  }

  /** Answers which jobs were no longer as they were seen. */
  async #letGo(ids: readonly string[], verdicts: Map<string, ActVerdict>): Promise<string[]> {
    const found = new Map((await this.#look(ids)).map((stored) => [stored.id, stored]))
    const decided: Decided[] = []
    for (const [index, id] of ids.entries()) {
      const stored = found.get(id)
      const change = stored && letGoOf(stored)
      if (stored === undefined || change === undefined)
        verdicts.set(id, stored === undefined ? 'unknown' : 'refused')
      else decided.push({ stored, change, index })
    }
    const again: string[] = []
    for (const { index, refused } of await this.#apply(decided)) {
      const id = ids[index] ?? ''
      if (refused) again.push(id)
      else verdicts.set(id, 'done')
    }
    return again
  }

  /** Makes the moves that time alone makes. */
  async #moveByTime(): Promise<void> {
    for (;;) {
      const now = this.#at.now()
      const [next, ...kinds] = (await this.#at.run(scripts.due, { args: { now, limit: BATCH } })) as [
        string,
        ...string[][],
      ]
      const [scheduled = [], leases = [], deadlines = []] = kinds
      if (scheduled.length + leases.length + deadlines.length === 0) {
        if (next !== '') this.#arm(Number(next))
        return
      }
      const decided: Decided[] = []
      const met = new Set<string>()
      const stray: Record<string, string[]> = {}
      const decide = (
        kind: string,
        rows: readonly string[],
        stepOf: (stored: Stored) => Move | undefined,
      ): void => {
        const usable = new Map(storedOf(rows).map((stored) => [stored.body.job.id, stored]))
        for (let at = 0; at < rows.length; at += ROW) {
          const id = rows[at] ?? ''
          const stored = usable.get(id)
          const step = stored && stepOf(stored)
          const change = stored && step && changeOf(stored, step, now)
          if (change === undefined) stray[kind] = [...(stray[kind] ?? []), id]
          else if (!met.has(id)) decided.push({ stored: stored as Stored, change, index: 0 })
          met.add(id)
        }
      }
      decide('deadlines', deadlines, (stored) => overdue(stored, now))
      decide('scheduled', scheduled, ({ header }) => (header?.s === 's' ? { type: 'due' } : undefined))
      decide('leases', leases, (stored) => lapse(stored, now))
      await this.#apply(decided, Object.keys(stray).length > 0 ? { stray } : {})
    }
  }

  /** Sees to it that somebody looks when the next job is due. @param at by the store's clock */
  #arm(at: number): void {
    if (at >= (this.#timer?.at ?? Number.POSITIVE_INFINITY) || this.#closed) return
    this.#timer?.cancel()
    const { clock, logger } = this.#options
    const cancel = clock.after(Math.max(0, at - this.#at.now()), () => {
      this.#timer = undefined
      this.#moveByTime().catch((error: unknown) => {
        if (!this.#closed)
          logger.warn({ error: String(error) }, 'moving due jobs failed; tried again at the next poll')
      })
    })
    this.#timer = { at, cancel }
  }

  async #tidy(): Promise<void> {
    let again = false
    const { retention, clock, logger } = this.#options
    try {
      again = (await this.#at.run(scripts.tidy, { args: { ...retention, batch: BATCH } })) === 1
    } catch (error) {
      if (!this.#closed)
        logger.warn({ error: String(error) }, 'forgetting old jobs failed; tried again later')
    }
    if (!this.#closed)
      this.#cancelTidy = clock.after(again ? TIDY_AGAIN_MS : TIDY_MS, () => void this.#tidy())
  }

  #notifyEvents(type: JobEventType | undefined): void {
    this.#hints.notify(eventsOf())
    if (type !== undefined) this.#hints.notify(eventsOf(type))
  }
}

/** id, body, header, notes, end of lease */
const ROW = 5

function storedOf(rows: readonly string[]): Stored[] {
  const stored: Stored[] = []
  for (let at = 0; at < rows.length; at += ROW) {
    const [id = '', body = '', header = ''] = rows.slice(at, at + 3)
    if (body !== '') stored.push(parseStored(id, body, header))
  }
  return stored
}

function byRank(a: Stored, b: Stored): number {
  return (a.header?.r ?? a.body.acceptedAt) - (b.header?.r ?? b.body.acceptedAt) || a.body.seq - b.body.seq
}

function overdue({ body, header }: Stored, now: number): Move | undefined {
  const { deadline = Number.POSITIVE_INFINITY } = body.job
  const waits = header === undefined || header.s === 'q' || header.s === 's'
  if (!waits || deadline > now) return undefined
  const message = `not started before its deadline ${new Date(deadline).toISOString()}`
  return { type: 'overdue', fault: fault('DEADLINE_PASSED', 'DeadlinePassed', message, header?.a ?? 0, now) }
}

function lapse({ header }: Stored, now: number): Move | undefined {
  if (header?.s !== 'r') return undefined
  const message = `worker ${header.w ?? '?'} did not renew its lease`
  return { type: 'lapse', fault: fault('LEASE_LOST', 'LeaseLost', message, header.a, now) }
}

function fault(code: string, name: string, message: string, attempt: number, at: number): JobFault {
  return { code, name, message, attempt, at }
}
