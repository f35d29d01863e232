import type { Claim } from '../broker.ts'
import type { Logger } from '../log.ts'
import type { Observer } from './observer.ts'

/** Many observers as one, in order; undefined where there is none, so that nothing is done for nobody. */
export function together(observers: readonly Observer[], logger: Logger): Observer | undefined {
  if (observers.length === 0) return undefined
  const guard = guardOf(logger)
  const each = (tell: (one: Observer) => void): void => {
    for (const one of observers) guard(one, () => tell(one))
  }
  return {
    attach: (observed) => each((one) => one.attach?.(observed)),
    sending: (job) => observers.reduce((sent, one) => guard(one, () => one.sending?.(sent)) ?? sent, job),
    answered: (told) => each((one) => one.answered?.(told)),
    around: (claim, run) => observers.reduceRight((inner, one) => within(one, claim, inner, guard), run)(),
    ended: (told) => each((one) => one.ended?.(told)),
    troubled: (told) => each((one) => one.troubled?.(told)),
    requested: (told) => each((one) => one.requested?.(told)),
    close: () => each((one) => one.close?.()),
  }
}

type Guard = <Value>(one: Observer, call: () => Value) => Value | undefined

/** What an observer throws is logged once an observer. */
function guardOf(logger: Logger): Guard {
  const told = new Set<Observer>()
  return (one, call) => {
    try {
      return call()
    } catch (error) {
      if (!told.has(one))
        logger.error({ error: String(error) }, 'an observer threw: it is told on, and this is said once')
      told.add(one)
      return undefined
    }
  }
}

/** What is done for a job is done once, and answers what it answers, whatever who watches does. */
function within<Value>(one: Observer, claim: Claim, run: () => Value, guard: Guard): () => Value {
  if (one.around === undefined) return run
  return () => {
    let ran: { readonly value: Value } | undefined
    const once = (): Value => {
      ran ??= { value: run() }
      return ran.value
    }
    guard(one, () => one.around?.(claim, once))
    return once()
  }
}
