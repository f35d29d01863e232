import { followUps } from '../../job/follow-up.ts'
import type { Job, JobState } from '../../job/job.ts'
import { isEnded, isWaiting } from '../../job/job.ts'
import { canBeMoved } from '../../job/past.ts'
import type { Move, Settlement } from '../../job/state.ts'
import { isFailure, isInLine, move, rankAfter } from '../../job/state.ts'
import { jobEventTypes } from '../../ledger.ts'
import { eventOf } from '../events.ts'
import type { Stored } from './codec.ts'
import { canShare, headerOf, rankOf, recordOf } from './codec.ts'

/** A move that was decided, as the script `apply` makes it: the jobs of a group are alike but for id and result. */
export interface Group {
  readonly ids: string[]
  readonly was: string
  /** The new header; without meaning where the job goes. */
  readonly becomes: string
  readonly results?: string[]
  readonly queue: string
  readonly task: string
  readonly attempt: number
  readonly event?: number
  /** The indexes that the job leaves and enters. */
  readonly from: 'leases' | 'scheduled' | 'ready' | 'dead' | 'none'
  readonly to: 'done' | 'cancelled' | 'dead' | 'scheduled' | 'ready' | 'none' | 'gone'
  readonly score?: number
  /** Its number and id: sorts by acceptance. */
  readonly member?: string
  readonly key?: string
  /** Its place in the line of its key; undefined when it leaves it. */
  readonly line?: number
  readonly deadline?: number
  readonly dropDeadline?: true
  readonly before: string
  readonly after?: string
  /** What it adds to the bytes that wait, where it is one job that comes to wait or does no more. */
  readonly bytes?: number
  readonly fault?: object
  /** An attempt failed that another follows. */
  readonly failed?: true
}

export interface Change {
  readonly group: Group
  /** What follows its end. */
  readonly follows: readonly Job[]
  readonly seq: number
}

/** So many jobs are moved at once. */
const LARGEST = 1000
/** Those of a key who never began stand behind all who did. */
const FRESH = 2 ** 51

/** What a move makes of a job; undefined where it is not legal. */
export function changeOf(stored: Stored, step: Move, now: number): Change | undefined {
  const before = recordOf(stored)
  const after = move(before, step, now)
  if (after === undefined) return undefined
  const { seq, job } = stored.body
  const newRank = rankAfter(step, after, now)
  const rank = newRank ?? rankOf(stored)
  const isKeyed = job.key !== undefined
  const keepsRank = newRank !== undefined || stored.header?.r !== undefined || isKeyed
  const to = isEnded(after.state)
    ? (after.state as 'done' | 'dead' | 'cancelled')
    : after.state === 'scheduled'
      ? 'scheduled'
      : after.state === 'queued' && !isKeyed
        ? 'ready'
        : 'none'
  const score = {
    scheduled: after.dueAt,
    ready: rank,
    dead: after.endedAt,
    done: undefined,
    cancelled: undefined,
    none: undefined,
  }[to]
  const fault = after.faults.at(-1)
  const group: Group = {
    ids: [job.id],
    was: stored.text,
    becomes: headerOf(after, keepsRank ? rank : undefined),
    ...(after.result === undefined ? {} : { results: [after.result] }),
    queue: job.queue,
    task: job.task,
    attempt: after.attempt,
    event: jobEventTypes.indexOf(eventOf(step, before, after)),
    from: after.state === 'running' ? 'none' : leaves(stored, before.state),
    to,
    ...(score === undefined ? {} : { score }),
    ...(to === 'ready' || isKeyed || leaves(stored, before.state) === 'ready'
      ? { member: memberOf(stored) }
      : {}),
    ...(isKeyed ? { key: job.key } : {}),
    ...(isInLine(after)
      ? { line: after.state === 'running' ? -1 : after.fence > 0 ? seq : FRESH + seq }
      : {}),
    ...(job.deadline === undefined
      ? {}
      : isWaiting(after.state)
        ? { deadline: job.deadline }
        : { dropDeadline: true as const }),
    before: before.state,
    after: after.state,
    ...waitingBytes(job.payload, before.state, after.state),
    ...(fault === undefined ? {} : { fault }),
    ...(isFailure(before, after) ? { failed: true as const } : {}),
  }
  return { group, follows: followUps(after, now), seq }
}

/** A dead letter goes for good. */
export function purgeOf(stored: Stored): Change {
  const { state, queue, task, attempt, id } = recordOf(stored)
  const group: Group = {
    ids: [id],
    was: stored.text,
    becomes: '',
    queue,
    task,
    attempt,
    from: 'dead',
    to: 'gone',
    before: state,
  }
  return { group, follows: [], seq: stored.body.seq }
}

/** A job that another store has now goes: nothing is told, and nothing follows. Undefined where it cannot. */
export function letGoOf(stored: Stored): Change | undefined {
  const { state, queue, task, attempt, id, key, deadline, payload } = recordOf(stored)
  if (!canBeMoved(state)) return undefined
  const group: Group = {
    ids: [id],
    was: stored.text,
    becomes: '',
    queue,
    task,
    attempt,
    from: leaves(stored, state),
    to: 'gone',
    member: memberOf(stored),
    ...(key === undefined ? {} : { key }),
    ...(deadline === undefined ? {} : { dropDeadline: true as const }),
    before: state,
    ...waitingBytes(payload, state, undefined),
  }
  return { group, follows: [], seq: stored.body.seq }
}

function waitingBytes(payload: string, before: JobState, after: JobState | undefined): Pick<Group, 'bytes'> {
  const change = Number(after !== undefined && isWaiting(after)) - Number(isWaiting(before))
  return change === 0 ? {} : { bytes: change * Buffer.byteLength(payload) }
}

export function memberOf({ body }: Stored): string {
  return `${String(body.seq).padStart(16, '0')}${body.job.id}`
}

function leaves({ header, body }: Stored, state: string): Group['from'] {
  if (state === 'running') return 'leases'
  if (state === 'scheduled') return 'scheduled'
  if (state === 'dead') return 'dead'
  // Who was never touched stays in its block until its turn; who has a key stands in line, and is let go by that.
  return header === undefined || body.job.key !== undefined ? 'none' : 'ready'
}

/** An end of a claim, and the change that it is. */
export interface EndedClaim {
  readonly stored: Stored
  readonly settlement: Settlement
  readonly change: Change
}

/**
 * The change that ends a claim; undefined where it is not legal. What ends just as the one before joins its group, so that a
 * thousand ends of a batch are decided once.
 */
export function endOf(
  stored: Stored,
  settlement: Settlement,
  now: number,
  before: EndedClaim | undefined,
): Change | undefined {
  if (before === undefined || !endsAlike(before, stored, settlement)) return changeOf(stored, settlement, now)
  const { ids, results } = before.change.group
  ids.push(stored.id)
  if (settlement.type === 'done' && settlement.result !== undefined) results?.push(settlement.result)
  return before.change
}

function endsAlike(before: EndedClaim, stored: Stored, settlement: Settlement): boolean {
  const [a, b] = [before.settlement, settlement]
  const [{ job }, first] = [stored.body, before.stored.body]
  return (
    a.type === 'done' &&
    b.type === 'done' &&
    (a.result === undefined) === (b.result === undefined) &&
    before.stored.text === stored.text &&
    first.isPlain &&
    stored.body.isPlain &&
    first.job.task === job.task &&
    first.job.queue === job.queue &&
    before.change.group.ids.length < LARGEST &&
    canShare(job.id) &&
    canShare(first.job.id)
  )
}

/** The groups of changes, each once. */
export function groupsOf(changes: readonly Change[]): Group[] {
  return [...new Set(changes.map(({ group }) => group))]
}
