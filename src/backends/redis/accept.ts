import type { Accepted, Room } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { arrivalOf } from '../../job/past.ts'
import { rank } from '../../job/priority.ts'
import { isInLine } from '../../job/state.ts'
import { bodyOf, headerOf, notesOf, parseBody } from './codec.ts'

/** Jobs for the script to take in: named values of each group, and the ids and bodies that follow. */
export interface Arrivals {
  readonly groups: readonly ArrivingGroup[]
  readonly texts: readonly string[]
}

interface ArrivingGroup {
  n: number
  readonly queue: string
  readonly task: string
  readonly priority: number
  readonly room?: number
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

/** Puts jobs together that are alike but for id and payload. */
export function arrivalsOf(jobs: readonly Job[], now: number, room?: Room): Arrivals {
  const groups: ArrivingGroup[] = []
  const texts: string[] = []
  const met = new Set<string>()
  let before: Job | undefined
  for (const job of jobs) {
    texts.push(job.id, bodyOf(job, now))
    const last = groups.at(-1)
    if (last !== undefined && before !== undefined && isAlike(before, job) && !met.has(job.id)) last.n++
    else groups.push(groupOf(job, now, room))
    met.add(job.id)
    before = job
  }
  return { groups, texts }
}

/** Jobs that follow the end of another, and only if that is made. */
export function followersOf(
  jobs: readonly { readonly parent: string; readonly job: Job }[],
  now: number,
): Arrivals {
  return {
    groups: jobs.map(({ parent, job }) => ({ ...groupOf(job, now), parent })),
    texts: jobs.flatMap(({ job }) => [job.id, bodyOf(job, now)]),
  }
}

/** A job that comes with a past stands where it stood. */
function groupOfPast(job: Job, now: number): ArrivingGroup {
  const { record, rank } = arrivalOf(job, now)
  const { queue, task, priority, key, state, attempt, dueAt, endedAt, deadline } = record
  const notes = notesOf(record)
  const isDead = state === 'dead'
  return {
    n: 1,
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

function groupOf(job: Job, now: number, room?: Room): ArrivingGroup {
  if (job.past !== undefined) return groupOfPast(job, now)
  const { queue, task, priority, key, runAt, deadline } = job
  const isScheduled = runAt !== undefined && runAt > now
  const header = isScheduled
    ? { s: 's', a: 0, f: 0, u: runAt, k: key }
    : { s: 'q', a: 0, f: 0, r: rank(now, priority), k: key }
  return {
    n: 1,
    queue,
    task,
    priority,
    ...(room === undefined ? {} : { room: room(queue) }),
    ...(isScheduled ? { due: runAt } : {}),
    ...(key === undefined ? {} : { key }),
    ...(isScheduled || key !== undefined ? { header: JSON.stringify(header) } : {}),
    ...(deadline === undefined ? {} : { deadline }),
    ...onceOf(job),
  }
}

function isAlike(a: Job, b: Job): boolean {
  return a.queue === b.queue && a.task === b.task && a.priority === b.priority && isPlain(a) && isPlain(b)
}

function isPlain({ key, runAt, deadline, idempotency, past }: Job): boolean {
  return (key ?? runAt ?? deadline ?? idempotency ?? past) === undefined
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
  if (why === 'full') return { id, status: 'full' }
  if (why === 'once') {
    const end = before.lastIndexOf('\n')
    const isSame = before.slice(0, end) === idempotency?.fingerprint
    const first = before.slice(end + 1)
    if (isAgain && isSame && first === id) return { id, status: 'queued' }
    return { id: first, status: isSame ? 'duplicate' : 'mismatch' }
  }
  if (parseBody(id, before).job.tenant !== tenant) return { id, status: 'taken' }
  return { id, status: isAgain ? 'queued' : 'duplicate' }
}
