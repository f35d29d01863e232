import type { Decision } from '../../src/autoscale/policy/policy.ts'
import { decide, noMemory } from '../../src/autoscale/policy/policy.ts'
import type { Load } from './loads.ts'
import { TARGET_SECONDS } from './loads.ts'
import type { Bounds } from './peers.ts'
import type { Scaler, View } from './plant.ts'

type Told = (at: number, decision: Decision) => void

/** The policy of this repository as it is, once a second, told no more than a pool of workers knows. */
export function own({ startSeconds }: Load, bounds: Bounds, tell: Told = () => {}): Scaler {
  const plan = {
    ...bounds,
    slots: 1,
    targetAgeMs: TARGET_SECONDS * 1000,
    startMs: startSeconds * 1000,
  }
  let memory = noMemory
  let last: View | undefined
  return {
    name: 'Offload',
    everySeconds: 1,
    retires: 'idle',
    graceSeconds: Number.POSITIVE_INFINITY,
    scale(view) {
      const timed = view.ended - (last?.ended ?? 0)
      const reading = view.readable
        ? {
            at: view.at * 1000,
            ready: view.ready,
            running: view.running,
            dueSoon: 0,
            oldestAgeMs: view.oldestAge === undefined ? null : view.oldestAge * 1000,
            accepted: view.accepted,
            ended: view.ended,
            failed: 0,
            runMs: timed === 0 ? null : ((view.ran - (last?.ran ?? 0)) / timed) * 1000,
            workers: view.claiming,
            starting: view.starting,
          }
        : undefined
      if (view.readable) last = view
      const answer = decide(plan, memory, reading)
      memory = answer.memory
      tell(view.at, answer.decision)
      return answer.decision.workers
    },
  }
}
