import type { Clock } from '../src/clock.ts'
import { systemClock } from '../src/clock.ts'

/** From an instant on, a clock is off by so much. */
export interface Jump {
  readonly at: number
  readonly offMs: number
}

/** A clock that somebody sets: what it says jumps, and timers go on by what has really passed. */
export function wrongClock(jumps: readonly Jump[], clock: Clock = systemClock): Clock {
  return {
    now() {
      const now = clock.now()
      return now + (jumps.findLast(({ at }) => at <= now)?.offMs ?? 0)
    },
    elapsed: () => clock.elapsed(),
    after: (ms, run, kind) => clock.after(ms, run, kind),
    keepAlive: () => clock.keepAlive(),
  }
}

const MINUTE = 60_000
const DAY = 86_400_000
const errors: readonly number[] = [5 * MINUTE, -5 * MINUTE, DAY, -DAY]

/** Sets the clock to and fro, every `everyMs` on the average, until it is right again for good. */
export function jumpsBetween(
  from: number,
  to: number,
  everyMs: number,
  random: () => number,
): readonly Jump[] {
  const jumps: Jump[] = []
  for (let at = from; at < to; at += everyMs * (0.5 + random()))
    jumps.push({ at, offMs: errors[Math.floor(random() * errors.length)] ?? 0 })
  return [...jumps, { at: to, offMs: 0 }]
}
