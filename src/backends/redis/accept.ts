import type { Accepted, Room } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { arrivalOf } from '../../job/past.ts'
import { rank } from '../../job/priority.ts'
import { isInLine } from '../../job/state.ts'
import { bodyOf, canShare, headerOf, notesOf, tenantOf } from './codec.ts'
import type { Kinds } from './kinds.ts'
import { isOfKind, kindOf } from './kinds.ts'

/** As many jobs stand in one block at most: who is kept alone of a block keeps the ids of all. */
const BLOCK = 140
/** Ids of ours that were made at the same instant begin with so many characters alike. */
const PREFIX = 10

/** Jobs for the script to take in: named values of each group with their kinds, and the texts that follow. */
export interface Arrivals {
  readonly args: {
    readonly groups: readonly ArrivingGroup[]
    readonly kinds: Readonly<Record<string, string>>
  }
  readonly texts: readonly string[]
}

interface ArrivingGroup {
  n: number
  readonly kind: string
  /** When it was accepted. */
  readonly at: number
  /** What all ids begin with. */
  prefix: string
  readonly queue: string
  readonly task: string
  readonly priority: number
  /** How much may wait, where that is limited. */
  readonly room?: number
  readonly roomBytes?: number
  readonly parent?: string
  readonly due?: number
  /** Of a dead letter: when it died. */
  readonly dead?: number
  /** Of one that comes back without a key. */
  readonly rank?: number
  /** It has begun before: it goes before the fresh ones of its key. */
  readonly begun?: true
  readonly attempt?: number
  readonly notes?: string
  readonly key?: string
  readonly header?: string
  readonly deadline?: number
  readonly once?: string
  readonly print?: string
}

/** Puts jobs together that are alike but for id and payload. The kinds of all must be known. */
export function arrivalsOf(jobs: readonly Job[], now: number, kinds: Kinds, room?: Room): Arrivals {
  const gathering = new Gathering(kinds)
  const met = new Set<string>()
  let before: Job | undefined
  for (const job of jobs) {
    if (before === undefined || gathering.isFull || !isAlike(before, job) || met.has(job.id))
      gathering.begin(groupOf(job, now, gathering.kindOf(job), room))
    gathering.add(job.id, bodyOf(job, now, gathering.kind))
    met.add(job.id)
    before = job
  }
  return gathering.end()
}

/** Jobs that follow the end of another, and only if that is made. */
export function followersOf(
  jobs: readonly { readonly parent: string; readonly job: Job }[],
  now: number,
  kinds: Kinds,
): Arrivals {
  const gathering = new Gathering(kinds)
  for (const { parent, job } of jobs) {
    gathering.begin({ ...groupOf(job, now, gathering.kindOf(job)), parent })
    gathering.add(job.id, bodyOf(job, now, gathering.kind))
  }
  return gathering.end()
}

/** Groups as they grow: before the ids and bodies of each stand its ids as a block has them. */
class Gathering {
  readonly #known: Kinds
  readonly #kinds: Record<string, string> = {}
  readonly #groups: ArrivingGroup[] = []
  readonly #texts: string[] = []
  #start = 0

  constructor(known: Kinds) {
    this.#known = known
  }

  get kind(): string {
    return this.#groups.at(-1)?.kind ?? ''
  }

  get isFull(): boolean {
    return (this.#groups.at(-1)?.n ?? 0) >= BLOCK
  }

  kindOf(job: Job): string {
    const text = kindOf(job)
    const number = this.#known.numberOf(text)
    if (number === undefined) throw new Error(`the store was not asked for the kind ${text}`)
    this.#kinds[number] = text
    return number
  }

  begin(group: ArrivingGroup): void {
    this.#close()
    this.#start = this.#texts.push('')
    this.#groups.push(group)
  }

  add(id: string, body: string): void {
    const group = this.#groups.at(-1) as ArrivingGroup
    this.#texts.push(id, body)
    group.n++
  }

  end(): Arrivals {
    this.#close()
    return { args: { groups: this.#groups, kinds: this.#kinds }, texts: this.#texts }
  }

  #close(): void {
    const group = this.#groups.at(-1)
    if (group === undefined) return
    const ids: string[] = []
    for (let at = this.#start; at < this.#texts.length; at += 2) ids.push(this.#texts[at] ?? '')
    const prefix = ids.length > 1 ? (ids[0] ?? '').slice(0, PREFIX) : ''
    group.prefix = ids.every((id) => id.startsWith(prefix)) ? prefix : ''
    this.#texts[this.#start - 1] = ids.map((id) => id.slice(group.prefix.length)).join(' ')
  }
}

/** A job that comes with a past stands where it stood. */
function groupOfPast(job: Job, now: number, kind: string): ArrivingGroup {
  const { record, rank } = arrivalOf(job, now)
  const { queue, task, priority, key, state, attempt, dueAt, endedAt, deadline } = record
  const notes = notesOf(record)
  const isDead = state === 'dead'
  return {
    n: 0,
    kind,
    at: job.past?.acceptedAt ?? now,
    prefix: '',
    queue,
    task,
    priority,
    attempt,
    header: headerOf(record, rank),
    ...(isDead ? { dead: endedAt ?? now } : {}),
    ...(state === 'scheduled' ? { due: dueAt ?? now } : {}),
    ...(state === 'queued' && key === undefined ? { rank } : {}),
    ...(key === undefined || isDead ? {} : { key }),
    ...(isInLine(record) && record.fence > 0 ? { begun: true as const } : {}),
    ...(notes === undefined ? {} : { notes }),
    ...(deadline === undefined || isDead ? {} : { deadline }),
    ...onceOf(job),
  }
}

function onceOf({ idempotency }: Job): Pick<ArrivingGroup, 'once' | 'print'> {
  return idempotency === undefined ? {} : { once: idempotency.key, print: idempotency.fingerprint }
}

function groupOf(job: Job, now: number, kind: string, room?: Room): ArrivingGroup {
  if (job.past !== undefined) return groupOfPast(job, now, kind)
  const { queue, task, priority, key, runAt, deadline } = job
  const isScheduled = runAt !== undefined && runAt > now
  const header = isScheduled
    ? { s: 's', a: 0, f: 0, u: runAt, k: key }
    : { s: 'q', a: 0, f: 0, r: rank(now, priority), k: key }
  return {
    n: 0,
    kind,
    at: now,
    prefix: '',
    queue,
    task,
    priority,
    ...(room === undefined ? {} : roomIn(room, queue)),
    ...(isScheduled ? { due: runAt } : {}),
    ...(key === undefined ? {} : { key }),
    ...(isScheduled || key !== undefined ? { header: JSON.stringify(header) } : {}),
    ...(deadline === undefined ? {} : { deadline }),
    ...onceOf(job),
  }
}

function roomIn(room: Room, queue: string): Pick<ArrivingGroup, 'room' | 'roomBytes'> {
  const { jobs, bytes } = room(queue)
  return {
    ...(jobs === Number.POSITIVE_INFINITY ? {} : { room: jobs }),
    ...(bytes === Number.POSITIVE_INFINITY ? {} : { roomBytes: bytes }),
  }
}

function isAlike(a: Job, b: Job): boolean {
  return isOfKind(a, b) && isPlain(a) && isPlain(b)
}

function isPlain({ id, key, runAt, deadline, idempotency, past }: Job): boolean {
  return (key ?? runAt ?? deadline ?? idempotency ?? past) === undefined && canShare(id)
}

/** What became of each job: the script names those alone that it did not take. */
export function acceptedOf(
  jobs: readonly Job[],
  answer: readonly (string | number)[],
  isAgain: boolean,
): Accepted[] {
  const accepted: Accepted[] = jobs.map(({ id }) => ({ id, status: 'queued' }))
  for (let at = 0; at < answer.length; at += 3) {
    const nth = Number(answer[at])
    const job = jobs[nth]
    if (job !== undefined)
      accepted[nth] = refusal(job, String(answer[at + 1]), String(answer[at + 2]), isAgain)
  }
  return accepted
}

function refusal(job: Job, why: string, before: string, isAgain: boolean): Accepted {
  const { id, tenant, idempotency } = job
  if (why === 'full') return { id, status: 'full', limit: before === 'bytes' ? 'bytes' : 'jobs' }
  if (why === 'once') {
    const end = before.lastIndexOf('\n')
    const isSame = before.slice(0, end) === idempotency?.fingerprint
    const first = before.slice(end + 1)
    if (isAgain && isSame && first === id) return { id, status: 'queued' }
    return { id: first, status: isSame ? 'duplicate' : 'mismatch' }
  }
  if (tenantOf(before) !== tenant) return { id, status: 'taken' }
  return { id, status: isAgain ? 'queued' : 'duplicate' }
}
