import { randomUUID } from 'node:crypto'
import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from '../../broker.ts'
import type { Documents } from '../../documents.ts'
import type { Job } from '../../job/job.ts'
import { MAX_LOG_LINES } from '../../job/job.ts'
import type { Settlement } from '../../job/state.ts'
import type {
  Acted,
  Action,
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
import { acceptedOf, arrivalsOf } from './accept.ts'
import type { Group } from './change.ts'
import type { Claims, Wanted } from './claim.ts'
import { claimsOf } from './claim.ts'
import type { Stored } from './codec.ts'
import { readStored } from './codec.ts'
import type { Connection } from './connection.ts'
import { redisDocuments } from './documents.ts'
import { Due } from './due.ts'
import { depthsOf, eventsPage, findPage, queuesIn } from './find.ts'
import { Handover } from './handover.ts'
import type { Hints } from './hints.ts'
import { bringing } from './kinds.ts'
import { Moves } from './moves.ts'
import { scripts } from './scripts/index.ts'

const TIDY_MS = 5000
const TIDY_AGAIN_MS = 5
const BATCH = 500

/** The whole store in one Redis: every call is one script, and so one atomic step. */
export class RedisLedger implements Ledger {
  readonly documents: Documents
  readonly #at: Connection
  readonly #hints: Hints
  readonly #options: BackendOptions
  readonly #moves: Moves
  readonly #due: Due
  readonly #handover: Handover
  /** Of this process, among all that use the store. */
  readonly #name = randomUUID()
  #calls = 0
  #cancelTidy: () => void
  #closed = false

  constructor(at: Connection, hints: Hints, options: BackendOptions) {
    this.#at = at
    this.#hints = hints
    this.#options = options
    this.#moves = new Moves(at, (groups, follows) => this.#told(groups, follows))
    this.#due = new Due(at, this.#moves, options)
    this.#handover = new Handover({
      isAwaited: (queue) => hints.isAwaited(jobsIn(queue)),
      wake: (queue) => hints.notify(jobsIn(queue)),
      giveBack: (claims) => this.#giveBack(claims),
    })
    this.documents = redisDocuments(at, hints)
    this.#cancelTidy = options.clock.after(TIDY_MS, () => void this.#tidy())
  }

  async record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    if (jobs.length === 0) return []
    const now = this.#at.now()
    const queues = new Set(jobs.map(({ queue }) => queue))
    const waiting = this.#handover.wantFor(queues)
    const take = waiting && this.#wanted(...waiting, now)
    const answering = bringing(
      this.#at,
      jobs,
      () => {
        const { args, texts } = arrivalsOf(jobs, now, this.#at.kinds, room)
        return this.#at.accept(scripts.accept, { args: { ...args, take }, texts })
      },
      ({ answer }) => answer,
    )
    // Who waits for a job asks now, and is given it in the same round trip.
    for (const queue of queues) if (!this.#handover.isOut(queue)) this.#hints.notify(jobsIn(queue))
    try {
      const { answer, isAgain } = await answering
      const [refusals, taken] = answer as [(string | number)[], unknown[]]
      if (take !== undefined) this.#give(take, taken)
      this.#notifyEvents('accepted')
      for (const job of jobs) this.#armFor(job)
      return acceptedOf(jobs, refusals, isAgain)
    } catch (error) {
      if (take !== undefined) this.#handover.give(take.queue, [])
      throw error
    }
  }

  async claim(queue: string, want: Want): Promise<readonly Claim[]> {
    if (want.limit < 1) return []
    return this.#handover.claim(queue, want, () => this.#claim(queue, want))
  }

  async #claim(queue: string, want: Want): Promise<readonly Claim[]> {
    for (;;) {
      const args = this.#wanted(queue, want, this.#at.now())
      const answer = claimsOf(await this.#at.run(scripts.claim, { args: { ...args } }), args, this.#at.kinds)
      if (answer.kind === 'due') {
        await this.#due.move()
        continue
      }
      if (answer.kind === 'none' && answer.dueAt !== undefined) this.#due.arm(answer.dueAt)
      this.#began(args, answer)
      return answer.claims
    }
  }

  /** What a script is told of who claims. */
  #wanted(queue: string, { limit, leaseMs, worker }: Want, now: number): Wanted {
    return {
      queue,
      limit: Math.min(limit, 1000),
      worker,
      fresh: JSON.stringify({ s: 'r', a: 1, f: 1, t: now, w: worker }),
      started: now,
      until: now + leaseMs,
      // Said again after its answer was lost, the call is known by these, and is given the jobs that it took.
      by: `${this.#name} ${worker} ${queue}`,
      call: ++this.#calls,
    }
  }

  #give(take: Wanted, taken: readonly unknown[]): void {
    const answer = claimsOf(taken, take, this.#at.kinds)
    this.#began(take, answer)
    this.#handover.give(take.queue, answer.claims)
  }

  #began({ until }: Wanted, { claims }: Claims): void {
    if (claims.length === 0) return
    this.#due.arm(until)
    this.#notifyEvents('started')
  }

  #giveBack(claims: readonly Claim[]): void {
    this.settle(claims.map((claim) => ({ claim, type: 'release' }))).catch((error: unknown) =>
      this.#options.logger.warn(
        { error: String(error), jobs: claims.length },
        'jobs could not be given back; they start when their leases are over',
      ),
    )
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#moves.settle(settlements)
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
    this.#due.arm(now + leaseMs)
    if (beats.some(({ progress }) => progress !== undefined)) this.#notifyEvents('progress')
    return states
  }

  async outbox(want: OutboxWant): Promise<readonly Job[]> {
    await this.#due.move()
    const { published, limit, againMs, lost } = want
    const args = { published, limit, again: againMs, lost }
    const [kinds, rows] = (await this.#at.run(scripts.outbox, { args })) as [string[], string[]]
    this.#at.kinds.learn(kinds)
    const jobs: Stored[] = []
    for (let at = 0; at < rows.length; at += 3) {
      const stored = readStored(rows[at] ?? '', rows[at + 1] ?? '', rows[at + 2] ?? '', this.#at.kinds)
      if (stored !== undefined) jobs.push(stored)
    }
    return jobs.sort(byRank).map(({ body }) => body.job)
  }

  async find(query: FindQuery): Promise<Page> {
    await this.#due.move()
    return findPage(this.#at, query)
  }

  async depth(queues?: readonly string[]): Promise<readonly Depth[]> {
    await this.#due.move()
    return depthsOf(this.#at, queues ?? (await queuesIn(this.#at)))
  }

  async act(action: Action): Promise<Acted> {
    await this.#due.move()
    switch (action.type) {
      case 'cancel':
        return this.#moves.each(action.ids, { type: 'cancel' }, 'ended')
      case 'retry':
        return this.#moves.each(action.ids, { type: 'revive' }, 'refused')
      case 'redrive':
      case 'purge':
        return this.#moves.bulk(action)
      case 'pause':
      case 'resume':
        await this.#at.run(scripts.pause, { args: { queue: action.queue, paused: action.type === 'pause' } })
        if (action.type === 'resume') this.#hints.notify(jobsIn(action.queue))
        return { count: 1, verdicts: [] }
      case 'forget':
        return this.#moves.forget(action.ids)
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
    this.#due.close()
    this.#cancelTidy()
    this.#hints.close()
    this.#at.close()
  }

  /** Wakes whoever waits for what was moved. */
  #told(groups: readonly Group[], follows: readonly Job[]): void {
    for (const { event, queue, to, score, deadline, key } of groups) {
      if (event !== undefined) this.#notifyEvents(jobEventTypes[event])
      if (to === 'ready' || key !== undefined) this.#hints.notify(jobsIn(queue))
      if (to === 'scheduled') this.#due.arm(score ?? Infinity)
      if (deadline !== undefined) this.#due.arm(deadline)
    }
    for (const { queue } of follows) this.#hints.notify(jobsIn(queue))
    if (follows.length > 0) this.#notifyEvents('accepted')
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

  /** Somebody looks when it is due. */
  #armFor({ runAt, deadline, past }: Job): void {
    const now = this.#at.now()
    for (const at of [runAt, deadline, past?.dueAt]) if (at !== undefined && at > now) this.#due.arm(at)
  }

  #notifyEvents(type: JobEventType | undefined): void {
    this.#hints.notify(eventsOf())
    if (type !== undefined) this.#hints.notify(eventsOf(type))
  }
}

function byRank(a: Stored, b: Stored): number {
  return (a.header?.r ?? a.body.acceptedAt) - (b.header?.r ?? b.body.acceptedAt) || a.body.seq - b.body.seq
}
