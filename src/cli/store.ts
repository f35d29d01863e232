import { existsSync } from 'node:fs'
import type { BackendOptions } from '../backend.ts'
import { openBackend } from '../backends/registry.ts'
import { locate } from '../backends/sqlite/location.ts'
import { systemClock } from '../clock.ts'
import { CapabilityError, OffloadError, shown } from '../job/errors.ts'
import type { JobRecord } from '../job/job.ts'
import type { Logger } from '../log.ts'
import type { Offload } from '../offload.ts'
import { offload } from '../offload.ts'
import type { RetentionOptions } from '../options.ts'
import { retentionOf } from '../options.ts'
import type { JobView } from '../reading/view.ts'
import { viewOf } from '../reading/view.ts'
import type { AnyTask } from '../task.ts'
import type { Call } from './call.ts'
import { usageError } from './call.ts'
import { readableLogger } from './logger.ts'

/** Where the jobs are. */
export interface Place {
  readonly url: string
  readonly ledger: string | undefined
}

/** A command must not forget what the application keeps for longer than it would by itself. */
export const withoutForgetting: RetentionOptions = {
  ended: '36525d',
  endedCount: Number.MAX_SAFE_INTEGER,
  dead: '36525d',
  deadCount: Number.MAX_SAFE_INTEGER,
  events: '36525d',
  eventsCount: Number.MAX_SAFE_INTEGER,
}

/** The place that the options or the environment name. @throws USAGE_INVALID */
export function placeOf(call: Call): Place {
  const url = call.text('url') ?? (process.env.OFFLOAD_URL || undefined)
  if (url === undefined)
    throw usageError('name the queue: --url sqlite:offload.db, or OFFLOAD_URL in the environment')
  return { url, ledger: call.text('ledger') ?? (process.env.OFFLOAD_LEDGER || undefined) }
}

/** The file that a URL names, for the one backend that is a file. @throws URL_UNKNOWN */
export function fileOf(url: string): string | undefined {
  const [, location] = /^sqlite:(.*)$/is.exec(url) ?? []
  return location === undefined ? undefined : locate(location.replace(/^\/\/(?=.)/, '')).file
}

export function isMemory(url: string): boolean {
  return /^memory:/i.test(url) || fileOf(url) === ':memory:'
}

/** Opens the queue to read and steer it, and closes it after `use`. */
export async function withQueue(
  call: Call,
  use: (queue: Offload) => Promise<number>,
  tasks: readonly AnyTask[] = [],
): Promise<number> {
  const { url, ledger } = existing(placeOf(call))
  const queue = offload({
    url,
    tasks,
    logger: readableLogger(call.terminal),
    retention: withoutForgetting,
    ...(ledger === undefined ? {} : { ledger }),
  })
  try {
    return await use(queue)
  } finally {
    await queue.close()
  }
}

/** A job with what the library does not tell of it: who holds it, and until when. */
export type HeldJob = JobView & { readonly worker?: string; readonly dueAt?: number }

/** All that is known of a job. @throws JOB_NOT_FOUND, CAPABILITY_MISSING */
export async function heldJob(call: Call, id: string): Promise<HeldJob> {
  const { url, ledger } = existing(placeOf(call))
  const backend = await openBackend(url, ledger, backendOptions(readableLogger(call.terminal)))
  try {
    if (backend.ledger === undefined)
      throw new CapabilityError(
        'CAPABILITY_MISSING',
        `${backend.broker.name} remembers no jobs: name a ledger`,
      )
    const { jobs, eventId } = await backend.ledger.find({ ids: [id], limit: 1 })
    const [record] = jobs
    if (record !== undefined) return held(record, eventId)
    throw new OffloadError('JOB_NOT_FOUND', `no job ${shown(id)} is remembered`, { jobId: id })
  } finally {
    await backend.close()
  }
}

function held(record: JobRecord, eventId: number): HeldJob {
  const { worker, dueAt } = record
  return {
    ...viewOf(record, eventId),
    ...(worker === undefined ? {} : { worker }),
    ...(dueAt === undefined ? {} : { dueAt }),
  }
}

export function backendOptions(logger: Logger): BackendOptions {
  return { clock: systemClock, logger, retention: retentionOf(withoutForgetting), timeoutMs: 5000 }
}

/** A file must be there: a slip in its name would make an empty queue. @throws USAGE_INVALID, BACKEND_UNAVAILABLE */
export function existing(place: Place): Place {
  checkShared(place.url)
  for (const url of [place.url, place.ledger ?? '']) {
    const file = fileOf(url)
    if (file !== undefined && !existsSync(file))
      throw new OffloadError(
        'BACKEND_UNAVAILABLE',
        `there is no file ${file}: correct the url, or enqueue the first job with it`,
      )
  }
  return place
}

/** @throws USAGE_INVALID */
export function checkShared(url: string): void {
  if (isMemory(url))
    throw usageError(
      `${url} lives and ends with one process: name a queue that others can reach, e.g. sqlite:offload.db`,
    )
}
