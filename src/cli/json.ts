import type { JobFault } from '../job/job.ts'
import type { JobEvent } from '../ledger.ts'
import type { HeldJob } from './store.ts'
import { iso } from './times.ts'

const INSTANTS = ['createdAt', 'runAt', 'startedAt', 'endedAt', 'deadline', 'dueAt'] as const

/** A job as `--json` tells of it: all that is known, times in ISO. */
export function jobJson(job: HeldJob): object {
  const times = INSTANTS.flatMap((name) => {
    const at = job[name]
    return at === undefined ? [] : [[name, iso(at)]]
  })
  return {
    ...job,
    ...Object.fromEntries(times),
    log: job.log.map(({ at, message }) => ({ at: iso(at), message })),
    faults: job.faults.map(faultJson),
    ...(job.error === undefined ? {} : { error: faultJson(job.error) }),
  }
}

function faultJson(fault: JobFault): object {
  return { ...fault, at: iso(fault.at) }
}

/** The data of a progress event is JSON text that a worker sent. */
export function eventJson({ at, data, ...event }: JobEvent): object {
  return { ...event, at: iso(at), ...(data === undefined ? {} : { data: parsed(data) }) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
