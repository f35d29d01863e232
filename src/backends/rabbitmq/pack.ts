import type { ConsumeMessage, MessageProperties } from 'amqplib'
import type { Job } from '../../job/job.ts'
import { NORMAL_PRIORITY } from '../../job/priority.ts'
import type { Publisher } from './envelope.ts'
import { propertiesOf } from './envelope.ts'
import type { Content, Received } from './message.ts'
import { instant, jobWith, MAX_ATTEMPTS, newId, payloadOf, readable, usableId, whole } from './untrusted.ts'

const TYPE = 'application/vnd.offload.pack+x-ndjson'
const MOST_BYTES = 262_144
/** In any pack of ours. */
const MOST_JOBS = 1000

/** Several jobs in one message: two lines each, what it is (JSON) and its payload. */
export function packOf(jobs: readonly Job[], publisher: Publisher): Content {
  const [first] = jobs as readonly [Job]
  return {
    body: Buffer.from(jobs.map((job) => `${headOf(job)}\n${job.payload}`).join('\n')),
    properties: propertiesOf(first, publisher, TYPE, 'offload.pack'),
  }
}

/** Jobs of one queue in packs of at most so many, and of about 256 KiB. Whatever has to travel alone does. */
export function packs(jobs: readonly Job[], most: number, isAlone: (job: Job) => boolean): readonly Job[][] {
  const made: Job[][] = []
  let pack: Job[] = []
  let bytes = 0
  for (const job of jobs) {
    if (most === 1 || isAlone(job) || job.payload.includes('\n')) {
      made.push([job])
      continue
    }
    const own = Buffer.byteLength(job.payload)
    if (pack.length === most || (pack.length > 0 && bytes + own > MOST_BYTES)) pack = []
    if (pack.length === 0) {
      made.push(pack)
      bytes = 0
    }
    pack.push(job)
    bytes += own
  }
  return made
}

function headOf({ id, task, priority, createdAt, maxAttempts, deadline, key, tenant, trace }: Job): string {
  return JSON.stringify({ id, task, priority, createdAt, maxAttempts, deadline, key, tenant, trace })
}

export function isPack({ contentType }: MessageProperties): boolean {
  return contentType === TYPE
}

/** The jobs of a pack, or one that cannot be read. @param redelivered how often the whole of it came before */
export function unpacked(
  { content }: ConsumeMessage,
  queue: string,
  redelivered: number,
  isRemembered: boolean,
  now: number,
): readonly Received[] {
  const { payload, malformed } = payloadOf(content)
  const lines = payload.split('\n', MOST_JOBS * 2 + 1)
  const why = malformed ?? (lines.length > MOST_JOBS * 2 ? TOO_MANY : undefined)
  if (why !== undefined)
    return [{ job: jobOf({}, payload, queue, now), attempts: redelivered, isRemembered, malformed: why }]
  const jobs: Received[] = []
  for (let at = 0; at < lines.length; at += 2) {
    const head = parsed(lines[at] as string)
    const lacks =
      usableId(head.id) === undefined
        ? 'the pack has a head that cannot be read'
        : lines[at + 1] === undefined
          ? 'the pack ends before the payload'
          : undefined
    const job = jobOf(head, lines[at + 1] ?? '', queue, now)
    jobs.push({ job, attempts: redelivered, isRemembered, malformed: lacks })
  }
  return jobs
}

const TOO_MANY = `the pack has more than ${MOST_JOBS} jobs, and is not ours`

function jobOf(head: Readonly<Record<string, unknown>>, payload: string, queue: string, now: number): Job {
  const { id, task, priority, createdAt, maxAttempts, deadline, key, tenant, trace } = head
  return jobWith(
    {
      id: usableId(id) ?? newId(),
      task: readable(task, 120) ?? 'unknown',
      queue,
      payload,
      priority: whole(priority, 0, 9) ?? NORMAL_PRIORITY,
      createdAt: instant(createdAt) ?? now,
      maxAttempts: whole(maxAttempts, 1) ?? MAX_ATTEMPTS,
    },
    { key, tenant, runAt: undefined, deadline, trace: isObject(trace) ? Object.entries(trace) : undefined },
  )
}

function parsed(head: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(head)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
