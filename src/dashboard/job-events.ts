import type { Answer } from '../http/answer.ts'
import { OffloadError } from '../job/errors.ts'
import { decode } from '../job/payload.ts'
import type { JobEvent } from '../ledger.ts'
import type { DashboardSource } from './source.ts'
import type { Streams } from './streams.ts'
import { eventText, streamAnswer } from './streams.ts'

/** What happens to one job from now on. The page looks at the job itself again when it hears of a change. @throws JOB_NOT_FOUND */
export async function jobEvents(
  source: Pick<DashboardSource, 'get' | 'follow'>,
  streams: Streams,
  id: string,
  maySee: boolean,
): Promise<Answer> {
  const job = await source.get(id)
  if (job === undefined)
    throw new OffloadError('JOB_NOT_FOUND', 'no job with this id is remembered', { jobId: id })
  let stop: (() => void) | undefined
  const channel = streams.open(() => stop?.())
  channel.push(eventText('state', { state: job.state, eventId: job.eventId }))
  stop = await source.follow(id, job.eventId, (event) => channel.push(textOf(event, maySee)))
  if (channel.isEnded) stop()
  return streamAnswer(channel)
}

function textOf({ eventId, type, at, attempt, data }: JobEvent, maySee: boolean): string {
  const progress = data === undefined || !maySee ? {} : { progress: decode(data) }
  return eventText('event', { eventId, type, at, attempt, ...progress })
}
