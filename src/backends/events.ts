import type { JobRecord } from '../job/job.ts'
import { isEnded } from '../job/job.ts'
import type { Move } from '../job/state.ts'
import type { JobEventType } from '../ledger.ts'

const events: Readonly<Record<Move['type'], JobEventType>> = {
  due: 'queued',
  claim: 'started',
  renew: 'progress',
  lapse: 'queued',
  overdue: 'dead',
  cancel: 'cancelled',
  revive: 'revived',
  done: 'done',
  retry: 'retrying',
  snooze: 'snoozed',
  release: 'released',
  dead: 'dead',
  cancelled: 'cancelled',
}

/** What is told of a move. */
export function eventOf(how: Move, before: JobRecord, after: JobRecord): JobEventType {
  if (isEnded(after.state)) return after.state as 'done' | 'dead' | 'cancelled'
  return how.type === 'cancel' && before.state === 'running' ? 'cancelling' : events[how.type]
}
