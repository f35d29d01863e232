import type { JobRecord } from '../../src/job/job.ts'
import { isEnded } from '../../src/job/job.ts'
import type { Ending, Move } from '../../src/job/state.ts'
import { move } from '../../src/job/state.ts'
import type { Model, Step } from './explore.ts'

const LEASE = 2
/** The store's clock stands still and what is due comes nearer: so the states are finitely many. */
const NOW = 0
const MOST_FENCES = 4
const WORKERS = [0, 1] as const

/** One job, two workers, and the ends that are on their way to the store. */
interface World {
  readonly job: JobRecord
  /** The fence and attempt that each worker believes it holds. */
  readonly held: readonly (Held | null)[]
  /** Ends that were sent: they arrive at any time, or twice, or never. */
  readonly sent: readonly Sent[]
  /** How many ends the store has taken since the job was queued or revived. */
  readonly ends: number
  readonly revived: boolean
}

interface Held {
  readonly fence: number
  readonly attempt: number
}

interface Sent extends Held {
  readonly type: Ending['type']
  readonly copies: number
}

/** The rules of a store: each answers the job after it, or undefined when it refuses. */
export interface Rules {
  /** Whether a claim with this fence may still change the job. */
  holds(job: JobRecord, fence: number): boolean
  move(job: JobRecord, how: Move, now: number): JobRecord | undefined
  /** Whether a lease is over. */
  isLapsed(job: JobRecord, now: number): boolean
}

export const rules: Rules = {
  holds: (job, fence) => job.state === 'running' && job.fence === fence,
  move,
  isLapsed: (job, now) => job.state === 'running' && (job.dueAt ?? 0) <= now,
}

const job: JobRecord = {
  id: 'j',
  task: 't',
  queue: 'q',
  payload: 'null',
  priority: 4,
  createdAt: 0,
  maxAttempts: 2,
  state: 'queued',
  attempt: 0,
  fence: 0,
  faults: [],
  log: [],
}

const fault = { code: 'X', name: 'X', message: '', attempt: 0, at: 0 }
const endings: readonly Ending['type'][] = ['done', 'retry', 'snooze', 'release', 'dead', 'cancelled']

function endingOf(type: Ending['type']): Ending {
  if (type === 'retry') return { type, runAt: NOW + 1, fault }
  if (type === 'snooze') return { type, runAt: NOW + 1 }
  return type === 'dead' ? { type, fault } : { type }
}

/** What faults hold says of the world is left out: it would only make states that differ in nothing. */
const bare = (after: JobRecord): JobRecord => ({ ...after, faults: [] })

/** Everything that can happen to the job of a store that keeps these rules. */
export function leaseModel(store: Rules): Model<World> {
  return {
    initial: { job, held: WORKERS.map(() => null), sent: [], ends: 0, revived: false },
    next: (world) => [
      ...byTime(store, world),
      ...WORKERS.flatMap((worker) => byWorker(store, world, worker)),
      ...arrivals(store, world),
      ...byUser(store, world),
    ],
    broken,
    isOver: (world) => isEnded(world.job.state) || world.job.fence === MOST_FENCES,
  }
}

function byTime(store: Rules, world: World): Step<World>[] {
  const steps: Step<World>[] = []
  const to = (name: string, after: JobRecord | undefined): void => {
    if (after !== undefined) steps.push({ by: 'system', name, world: { ...world, job: bare(after) } })
  }
  const { dueAt = NOW, state } = world.job
  if (dueAt > NOW) to('tick', { ...world.job, dueAt: dueAt - 1 })
  if (store.isLapsed(world.job, NOW)) to('lapse', store.move(world.job, { type: 'lapse', fault }, NOW))
  if (state === 'scheduled' && dueAt <= NOW) to('due', store.move(world.job, { type: 'due' }, NOW))
  return steps
}

function byWorker(store: Rules, world: World, worker: number): Step<World>[] {
  const name = (what: string): string => `worker ${worker} ${what}`
  const holding = (held: Held | null): readonly (Held | null)[] =>
    world.held.map((one, index) => (index === worker ? held : one))
  const held = world.held[worker] ?? null
  if (held === null) {
    if (world.job.fence >= MOST_FENCES) return []
    const how = { type: 'claim', leaseUntil: NOW + LEASE, worker: 'w' } as const
    const after = store.move(world.job, how, NOW)
    if (after === undefined) return []
    const { fence, attempt } = after
    return [
      {
        by: 'system',
        name: name('claims'),
        world: { ...world, job: bare(after), held: holding({ fence, attempt }) },
      },
    ]
  }
  const renewed = store.holds(world.job, held.fence)
    ? store.move(world.job, { type: 'renew', leaseUntil: NOW + LEASE }, NOW)
    : undefined
  const steps: Step<World>[] = [
    { by: 'fault', name: name('crashes'), world: { ...world, held: holding(null) } },
    renewed === undefined
      ? { by: 'system', name: name('is told its lease is lost'), world: { ...world, held: holding(null) } }
      : { by: 'system', name: name('renews'), world: { ...world, job: bare(renewed) } },
  ]
  if (world.sent.length >= 2) return steps
  for (const type of endings) {
    if (type === 'cancelled' && world.job.cancelling !== true) continue
    const sent = [...world.sent, { ...held, type, copies: 2 }]
    steps.push({ by: 'system', name: name(`sends ${type}`), world: { ...world, held: holding(null), sent } })
  }
  return steps
}

function arrivals(store: Rules, world: World): Step<World>[] {
  return world.sent.flatMap((one, index): Step<World>[] => {
    const others = world.sent.filter((_, at) => at !== index)
    const rest = one.copies > 1 ? [...others, { ...one, copies: one.copies - 1 }] : others
    const after = store.holds(world.job, one.fence)
      ? store.move(world.job, endingOf(one.type), NOW)
      : undefined
    const name = `${one.type} of attempt ${one.attempt} (fence ${one.fence}) arrives`
    const lost: Step<World> = { by: 'fault', name: `${one.type} is lost`, world: { ...world, sent: others } }
    if (after === undefined)
      return [lost, { by: 'system', name: `${name} and is refused`, world: { ...world, sent: rest } }]
    const ends = world.ends + (isEnded(after.state) ? 1 : 0)
    return [lost, { by: 'system', name, world: { ...world, job: bare(after), sent: rest, ends } }]
  })
}

function byUser(store: Rules, world: World): Step<World>[] {
  const cancelled = store.move(world.job, { type: 'cancel' }, NOW)
  const revived = world.revived ? undefined : store.move(world.job, { type: 'revive' }, NOW)
  return [
    ...(cancelled === undefined
      ? []
      : [{ by: 'user', name: 'cancel', world: { ...world, job: bare(cancelled) } } as const]),
    ...(revived === undefined
      ? []
      : [
          {
            by: 'user',
            name: 'revive',
            world: { ...world, job: bare(revived), ends: 0, revived: true },
          } as const,
        ]),
  ]
}

/** What must never happen. */
function broken(before: World, { name, world }: Step<World>): string | undefined {
  const [was, is] = [before.job, world.job]
  if (world.ends > 1) return 'two ends were taken'
  if (isEnded(was.state) && name !== 'revive' && JSON.stringify(was) !== JSON.stringify(is))
    return `what was ${was.state} has changed`
  if (is.attempt > is.maxAttempts) return 'more attempts than may be made'
  if (is.attempt < 0) return 'an attempt was given back twice'
  if (is.fence < was.fence) return 'the fence went back'
  if (name.endsWith('claims')) {
    if (is.fence === was.fence) return 'a claim has the fence of the one before it'
    if (is.attempt !== was.attempt + 1) return 'a claim was not counted'
    if (was.state === 'running') return 'a running job was claimed'
  }
  const sent = before.sent.find((one) =>
    name.startsWith(`${one.type} of attempt ${one.attempt} (fence ${one.fence}) arrives`),
  )
  if (
    sent !== undefined &&
    !name.endsWith('refused') &&
    (was.state !== 'running' || sent.fence !== was.fence)
  )
    return 'an end was taken from a worker that no longer holds the job'
  if (name === 'lapse' && was.state === 'running' && (was.dueAt ?? 0) > NOW)
    return 'a lease was ended before its time'
  if (name.endsWith('renews') && before.held.every((held) => held?.fence !== was.fence))
    return 'a lost lease was renewed'
  if (is.state === 'done' && was.state === 'running' && is.endedAt === undefined) return 'an end has no time'
  if (was.cancelling === true && was.state === 'running' && is.state !== 'running' && !isEnded(is.state))
    return 'a cancelled job goes on'
  const costs = name.includes('release') || name.includes('snooze')
  if (costs && name.endsWith('arrives') && !isEnded(is.state) && is.attempt !== was.attempt - 1)
    return 'a release or snooze cost an attempt'
  if (name === 'lapse' && is.state === 'queued' && is.attempt !== was.attempt)
    return 'a crash cost no attempt'
  return undefined
}
