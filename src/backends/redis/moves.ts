import type { Job } from '../../job/job.ts'
import { MAX_FAULTS } from '../../job/job.ts'
import type { Move, Settlement } from '../../job/state.ts'
import type { Acted, Action, ActVerdict } from '../../ledger.ts'
import { followersOf } from './accept.ts'
import type { Change, EndedClaim, Group } from './change.ts'
import { changeOf, endOf, groupsOf, letGoOf, purgeOf } from './change.ts'
import { receiptOf } from './claim.ts'
import type { Stored } from './codec.ts'
import type { Connection } from './connection.ts'
import { deadIds } from './find.ts'
import { bringing } from './kinds.ts'
import { look } from './page.ts'
import { scripts } from './scripts/index.ts'

const BATCH = 500
/** A job that changes hands faster than we can look is given up on after so many looks. */
const LOOKS = 10

/** What is decided of one job, and where its answer goes. */
export interface Decided {
  readonly stored: Stored
  readonly change: Change
  readonly index: number
}

/** Makes the moves that are decided here where the jobs still are as they were seen. */
export class Moves {
  readonly #at: Connection
  /** Told of what a call has moved, and of what follows. */
  readonly #tell: (groups: readonly Group[], follows: readonly Job[]) => void

  constructor(at: Connection, tell: (groups: readonly Group[], follows: readonly Job[]) => void) {
    this.#at = at
    this.#tell = tell
  }

  /** Ends claims: all of a call in one step. Answers which were still held. */
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
      let before: EndedClaim | undefined
      for (const [index, stored] of open) {
        const settlement = settlements[index] as Settlement
        const change = stored && endOf(stored, settlement, now, before)
        if (stored === undefined || change === undefined) open.delete(index)
        else {
          decided.push({ stored, change, index })
          if (change !== before?.change) before = { stored, settlement, change }
        }
      }
      const refused = (await this.apply(decided, { whole: true })).filter((one) => one.refused)
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
    const found = await look(
      this.#at,
      unknown.map((index) => claimOf(index).job.id),
    )
    const byId = new Map(found.map((stored) => [stored.id, stored]))
    for (const index of unknown) {
      const { job, fence } = claimOf(index)
      const stored = byId.get(job.id)
      if (stored?.header?.s === 'r' && stored.header.f === fence) open.set(index, stored)
      else open.delete(index)
    }
  }

  /** Makes moves that are decided; answers which were refused, as the job was not as it was seen. */
  async apply(
    decided: readonly Decided[],
    more: { readonly whole?: true; readonly stray?: Readonly<Record<string, readonly string[]>> } = {},
  ): Promise<{ index: number; refused: boolean }[]> {
    if (decided.length === 0 && more.stray === undefined) return []
    const groups = groupsOf(decided.map(({ change }) => change))
    const follows = decided
      .flatMap(({ change }) =>
        change.follows.map((job) => ({ seq: change.seq, parent: change.group.ids[0] ?? '', job })),
      )
      .sort((a, b) => a.seq - b.seq)
    const now = this.#at.now()
    const call = (): Promise<unknown> => {
      const { args, texts } = followersOf(follows, now, this.#at.kinds)
      const follow = follows.length > 0 ? { follow: args.groups, kinds: args.kinds } : {}
      return this.#at.run(scripts.apply, {
        args: { groups, maxFaults: MAX_FAULTS, ...follow, ...more },
        texts,
      })
    }
    const following = follows.map(({ job }) => job)
    const answer = (await bringing(this.#at, following, call)) as number[]
    const refused = new Set<string>()
    for (let at = 0; at < answer.length; at += 2) refused.add(`${answer[at]} ${answer[at + 1]}`)
    this.#tell(groups, following)
    let [group, nth] = [0, -1]
    return decided.map(({ index }) => {
      if (++nth === groups[group]?.ids.length) [group, nth] = [group + 1, 0]
      return { index, refused: refused.has(`${group} ${nth}`) }
    })
  }

  /** Decides on a job as it is, until it still is so when the move is made. Undefined for a job that is unknown. */
  async #move(
    id: string,
    decide: (stored: Stored) => Move | undefined,
  ): Promise<{ before: Stored; isMade: boolean } | undefined> {
    let before: Stored | undefined
    for (let looks = 0; looks < LOOKS; looks++) {
      ;[before] = await look(this.#at, [id])
      if (before === undefined) return undefined
      const step = decide(before)
      const change = step === undefined ? undefined : changeOf(before, step, this.#at.now())
      if (change === undefined) break
      const [made] = await this.apply([{ stored: before, change, index: 0 }])
      if (made?.refused === false) return { before, isMade: true }
    }
    return before && { before, isMade: false }
  }

  async each(ids: readonly string[], step: Move, otherwise: ActVerdict): Promise<Acted> {
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

  async bulk(action: Extract<Action, { type: 'redrive' | 'purge' }>): Promise<Acted> {
    const found = await deadIds(this.#at, action)
    const now = this.#at.now()
    const decided = found.flatMap((stored, index) => {
      const change = action.type === 'purge' ? purgeOf(stored) : changeOf(stored, { type: 'revive' }, now)
      return change === undefined ? [] : [{ stored, change, index }]
    })
    let count = 0
    for (let from = 0; from < decided.length; from += BATCH)
      for (const { refused } of await this.apply(decided.slice(from, from + BATCH))) if (!refused) count++
    return { count, verdicts: [] }
  }

  async forget(ids: readonly string[]): Promise<Acted> {
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
    const found = new Map((await look(this.#at, ids)).map((stored) => [stored.id, stored]))
    const decided: Decided[] = []
    for (const [index, id] of ids.entries()) {
      const stored = found.get(id)
      const change = stored && letGoOf(stored)
      if (stored === undefined || change === undefined)
        verdicts.set(id, stored === undefined ? 'unknown' : 'refused')
      else decided.push({ stored, change, index })
    }
    const again: string[] = []
    for (const { index, refused } of await this.apply(decided)) {
      const id = ids[index] ?? ''
      if (refused) again.push(id)
      else verdicts.set(id, 'done')
    }
    return again
  }
}
