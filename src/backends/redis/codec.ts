import type { FollowUp, Job, JobFault, JobRecord, JobState, LogLine } from '../../job/job.ts'
import { isEnded } from '../../job/job.ts'
import { rank } from '../../job/priority.ts'
import type { Kinds } from './kinds.ts'

/**
 * A job is kept as two values under its id. The *body* never changes:
 *
 *     seq|kind|accepted|age|few\npayload
 *
 * where `seq` is its number in the order of acceptance, which the store puts before the rest; `kind` the number of what it has
 * in common with others (see {@link Kinds}); `accepted` an instant to the base 36, and `age` how many ms it was made before;
 * and `|few` a JSON object of what few jobs have, or nothing. The *header* is where it is now; a job that waits and was never
 * touched has none:
 *
 *     {"s":state,"a":attempt,"f":fence, …}\nresult
 */
export interface Stored {
  readonly id: string
  readonly body: Body
  readonly header: Header | undefined
  /** As it is stored; empty where there is none. */
  readonly text: string
}

export interface Body {
  readonly job: Job
  readonly seq: number
  readonly acceptedAt: number
  /** It has nothing of what few jobs have. */
  readonly isPlain: boolean
}

/** `r`: rank, where it is not that of its acceptance or a key needs it; `u`: when a scheduled job is due; `t`: started; `e`: ended; `w`: worker; `c`: a cancel was asked for; `k`: key. */
export interface Header {
  readonly s: 's' | 'q' | 'r' | 'd' | 'x' | 'c'
  readonly a: number
  readonly f: number
  readonly r?: number
  readonly u?: number
  readonly t?: number
  readonly e?: number
  readonly w?: string
  readonly c?: 1
  readonly k?: string
}

interface Few {
  readonly key?: string
  readonly runAt?: number
  readonly deadline?: number
  readonly trace?: Readonly<Record<string, string>>
  readonly tenant?: string
  readonly once?: readonly [key: string, fingerprint: string]
  readonly onDone?: readonly FollowUp[]
}

/** States as headers have them. */
export const letters = {
  scheduled: 's',
  queued: 'q',
  running: 'r',
  done: 'd',
  dead: 'x',
  cancelled: 'c',
} as const
const states: Readonly<Record<Header['s'], JobState>> = {
  s: 'scheduled',
  q: 'queued',
  r: 'running',
  d: 'done',
  x: 'dead',
  c: 'cancelled',
}

/** Whether an id can stand among others, which are divided by spaces. */
export function canShare(id: string): boolean {
  return !id.includes(' ')
}

/** The body without its number. */
export function bodyOf(job: Job, acceptedAt: number, kind: string): string {
  const accepted = job.past?.acceptedAt ?? acceptedAt
  return `${kind}|${accepted.toString(36)}|${accepted - job.createdAt}${fewOf(job)}\n${job.payload}`
}

function fewOf({ key, runAt, deadline, trace, tenant, idempotency, onDone }: Job): string {
  if ((key ?? runAt ?? deadline ?? trace ?? tenant ?? idempotency ?? onDone) === undefined) return ''
  const once = idempotency && [idempotency.key, idempotency.fingerprint]
  return `|${JSON.stringify({ key, runAt, deadline, trace, tenant, once, onDone })}`
}

/** What stands in the body of a job that has this key or tenant, and by chance in another's. */
export function marksOf({ key, tenant }: Pick<Few, 'key' | 'tenant'>): string[] {
  return Object.entries({ key, tenant })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `"${name}":${JSON.stringify(value)}`)
}

const BODY = /^(\d+)\|(\d+)\|(\w+)\|([^|\n]*)(?:\|([^\n]*))?\n/

/** @throws when it is none */
function parseBody(id: string, text: string, kinds: Kinds): Body {
  const [head, seq, kind = '', accepted = '', age, few] = partsOf(text)
  const { task, queue, priority, maxAttempts } = kinds.of(kind)
  const acceptedAt = Number.parseInt(accepted, 36)
  const job: Job = {
    id,
    task,
    queue,
    payload: text.slice(head.length),
    priority,
    createdAt: acceptedAt - Number(age),
    maxAttempts,
  }
  const place = { seq: Number(seq), acceptedAt, isPlain: few === undefined }
  if (few === undefined) return { ...place, job }
  const { once, ...rest } = JSON.parse(few) as Few
  const idempotency = once && { idempotency: { key: once[0], fingerprint: once[1] } }
  return { ...place, job: { ...job, ...rest, ...idempotency } }
}

/** Whose job it is, which can be told without its kind. @throws when it is no body */
export function tenantOf(text: string): string | undefined {
  const few = partsOf(text)[5]
  return few === undefined ? undefined : (JSON.parse(few) as Few).tenant
}

function partsOf(text: string): RegExpExecArray {
  const found = BODY.exec(text)
  if (found === null) throw new Error('this is no body of a job')
  return found
}

export function parseHeader(text: string): Header | undefined {
  if (text === '') return undefined
  const end = text.indexOf('\n')
  return JSON.parse(end === -1 ? text : text.slice(0, end)) as Header
}

/** A job as it is stored; undefined where it is not there, or was written by somebody else. */
export function readStored(id: string, text: string, header: string, kinds: Kinds): Stored | undefined {
  const body = readBody(id, text, kinds)
  return body && { id, body, header: parseHeader(header), text: header }
}

export function readBody(id: string, text: string, kinds: Kinds): Body | undefined {
  try {
    return parseBody(id, text, kinds)
  } catch {
    return undefined
  }
}

/** Where a job stands in line among all that wait. */
export function rankOf({ body, header }: Stored): number {
  return header?.r ?? rank(body.acceptedAt, body.job.priority)
}

/** The header of a job after a move, without its result. */
export function headerOf(record: JobRecord, newRank: number | undefined): string {
  const { state, attempt, fence, startedAt, endedAt, worker, cancelling, key, dueAt } = record
  const header: Header = {
    s: letters[state],
    a: attempt,
    f: fence,
    ...(newRank === undefined || isEnded(state) ? {} : { r: newRank }),
    ...(state === 'scheduled' && dueAt !== undefined ? { u: dueAt } : {}),
    ...(startedAt === undefined ? {} : { t: startedAt }),
    ...(endedAt === undefined ? {} : { e: endedAt }),
    ...(worker === undefined ? {} : { w: worker }),
    ...(cancelling === true ? { c: 1 } : {}),
    ...(key === undefined ? {} : { k: key }),
  }
  return JSON.stringify(header)
}

/** The notes on a job that comes with a past, as they are stored; undefined where there are none. */
export function notesOf({ faults, progress, log }: JobRecord): string | undefined {
  if (faults.length === 0 && progress === undefined && log.length === 0) return undefined
  const notes: Notes = {
    ...(faults.length === 0 ? {} : { faults }),
    ...(progress === undefined ? {} : { progress }),
    ...(log.length === 0 ? {} : { log }),
  }
  return JSON.stringify(notes)
}

interface Notes {
  readonly faults?: readonly JobFault[]
  readonly progress?: string
  readonly log?: readonly LogLine[]
}

/** The record of a job; `dueAt` of a running one is not in its header, but in the index of leases. */
export function recordOf({ body, header, text }: Stored, notes = '', leaseUntil?: number): JobRecord {
  const { faults = [], progress, log = [] } = notes === '' ? {} : (JSON.parse(notes) as Notes)
  const kept = { faults, log, ...(progress === undefined ? {} : { progress }) }
  if (header === undefined) return { ...body.job, state: 'queued', attempt: 0, fence: 0, ...kept }
  const { s, a, f, u, t, e, w, c } = header
  const dueAt = s === 'r' ? leaseUntil : u
  const end = text.indexOf('\n')
  return {
    ...body.job,
    state: states[s],
    attempt: a,
    fence: f,
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(w === undefined ? {} : { worker: w }),
    ...(t === undefined ? {} : { startedAt: t }),
    ...(e === undefined ? {} : { endedAt: e }),
    ...(c === undefined ? {} : { cancelling: true }),
    ...(end === -1 ? {} : { result: text.slice(end + 1) }),
    ...kept,
  }
}
