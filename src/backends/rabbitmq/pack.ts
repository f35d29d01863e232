import type { ConsumeMessage, MessageProperties } from 'amqplib'
import type { Job } from '../../job/job.ts'
import { NORMAL_PRIORITY } from '../../job/priority.ts'
import type { Content, Publisher, Received } from './message.ts'
import { optional, propertiesOf, text, whole } from './message.ts'

const TYPE = 'application/vnd.offload.pack+x-ndjson'
const MOST_BYTES = 262_144

/** Several jobs in one message: two lines each, what it is (JSON) and its payload. */
export function packOf(jobs: readonly Job[], publisher: Publisher): Content {
  const [first] = jobs as readonly [Job]
  return {
    body: Buffer.from(jobs.map((job) => `${headOf(job)}\n${job.payload}`).join('\n')),
    properties: { ...propertiesOf(first, publisher), contentType: TYPE, type: 'offload.pack' },
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
    if (pack.length === most || (pack.length > 0 && bytes + job.payload.length > MOST_BYTES)) pack = []
    if (pack.length === 0) {
      made.push(pack)
      bytes = 0
    }
    pack.push(job)
    bytes += job.payload.length
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
): readonly Omit<Received, 'isRemembered'>[] {
  const lines = content.toString().split('\n')
  const jobs: Omit<Received, 'isRemembered'>[] = []
  for (let at = 0; at < lines.length; at += 2) {
    const job = jobOf(lines[at] as string, lines[at + 1] ?? '', queue)
    jobs.push({ ...job, attempts: redelivered })
  }
  return jobs
}

function jobOf(head: string, payload: string, queue: string): { job: Job; malformed?: string } {
  const { id, task, priority, createdAt, maxAttempts, deadline, key, tenant, trace } = parsed(head)
  const job: Job = {
    id: text(id, 200) ?? 'unknown',
    task: text(task, 120) ?? 'unknown',
    queue,
    payload,
    priority: whole(priority, 0, 9) ?? NORMAL_PRIORITY,
    createdAt: whole(createdAt) ?? 0,
    maxAttempts: whole(maxAttempts, 1) ?? 1,
    ...optional('deadline', whole(deadline)),
    ...optional('key', text(key, 200)),
    ...optional('tenant', text(tenant, 200)),
    ...(isTrace(trace) ? { trace } : {}),
  }
  return text(id, 200) === undefined ? { job, malformed: 'the pack has a head that cannot be read' } : { job }
}

function parsed(head: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(head)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function isTrace(trace: unknown): trace is Readonly<Record<string, string>> {
  return (
    typeof trace === 'object' &&
    trace !== null &&
    Object.values(trace).every((value) => typeof value === 'string')
  )
}
