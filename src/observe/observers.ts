import type { Claim } from '../broker.ts'
import type { Job } from '../job/job.ts'
import type { Logger } from '../log.ts'
import type { Observer, Within } from './observer.ts'

/** Many observers as one, in order; undefined where there is none, and so is each member that none has: nothing is done for nobody. */
export function together(observers: readonly Observer[], logger: Logger): Observer | undefined {
  if (observers.length === 0) return undefined
  const onThrow = onThrowOf(logger)
  const all: { -readonly [Name in keyof Observer]: Observer[Name] } = {}
  for (const name of ['attach', 'answered', 'ended', 'troubled', 'requested', 'close'] as const) {
    const those = observers.filter((one) => one[name] !== undefined)
    if (those.length > 0) all[name] = toEach(those, name, onThrow)
  }
  const senders = observers.filter(({ sending }) => sending !== undefined)
  if (senders.length > 0) all.sending = (job) => sentBy(senders, job, onThrow)
  const around = observers.filter((one) => one.around !== undefined)
  if (around.length > 0) all.around = (claim) => insideOf(around, claim, onThrow)
  return all
}

type OnThrow = (one: Observer, error: unknown) => void
type Telling = 'attach' | 'answered' | 'ended' | 'troubled' | 'requested' | 'close'

/** What an observer throws is logged once an observer. */
function onThrowOf(logger: Logger): OnThrow {
  const told = new Set<Observer>()
  return (one, error) => {
    if (!told.has(one))
      logger.error({ error: String(error) }, 'an observer threw: it is told on, and this is said once')
    told.add(one)
  }
}

function toEach(observers: readonly Observer[], name: Telling, onThrow: OnThrow): (told?: unknown) => void {
  return (told) => {
    for (const one of observers) {
      try {
        ;(one[name] as (told: unknown) => void)(told)
      } catch (error) {
        onThrow(one, error)
      }
    }
  }
}

function sentBy(observers: readonly Observer[], job: Job, onThrow: OnThrow): Job {
  let sent = job
  for (const one of observers) {
    try {
      sent = one.sending?.(sent) ?? sent
    } catch (error) {
      onThrow(one, error)
    }
  }
  return sent
}

/** Inside of what every observer says, the first outermost. */
function insideOf(observers: readonly Observer[], claim: Claim, onThrow: OnThrow): Within | undefined {
  let all: Within | undefined
  for (const one of observers) {
    try {
      const within = one.around?.(claim)
      if (within !== undefined) all = nested(all, once(one, within, onThrow))
    } catch (error) {
      onThrow(one, error)
    }
  }
  return all
}

function nested(outer: Within | undefined, inner: Within): Within {
  return outer === undefined ? inner : (run) => outer(() => inner(run))
}

/** What is done for a job is done once, whatever who watches does. */
function once(one: Observer, within: Within, onThrow: OnThrow): Within {
  return (run) => {
    let hasRun = false
    const runOnce = (): void => {
      if (hasRun) return
      hasRun = true
      run()
    }
    try {
      within(runOnce)
    } catch (error) {
      onThrow(one, error)
    }
    runOnce()
  }
}
