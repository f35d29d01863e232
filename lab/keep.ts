import type { Retention } from '../src/backend.ts'
import type { RetentionOptions } from '../src/index.ts'

const TEN_YEARS_MS = 3650 * 86_400_000

/** Nothing may be forgotten before it was counted, however wrong a clock is. */
export const keepAll: Retention = {
  endedMs: TEN_YEARS_MS,
  endedCount: 1e8,
  deadMs: TEN_YEARS_MS,
  deadCount: 1e8,
  eventsMs: TEN_YEARS_MS,
  eventsCount: 1e8,
}

export const forgetNothing: RetentionOptions = {
  ...keepAll,
  ended: keepAll.endedMs,
  dead: keepAll.deadMs,
  events: keepAll.eventsMs,
}
