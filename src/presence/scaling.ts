import type { Beacon } from './beacon.ts'
import type { Presence, ScalerView, ScalingDecision } from './view.ts'

/** So many decisions are told of. */
const MOST = 50

/** What does not change about a scaler. */
export interface ScalerPlan extends Pick<ScalerView, 'min' | 'max' | 'targetAgeMs'> {
  readonly queues?: readonly string[] | undefined
}

/** Tells the store what an autoscaler decides, for whoever looks. */
export class ScalingLog {
  readonly #beacon: Beacon
  readonly #decisions: ScalingDecision[] = []
  #workers: number

  constructor(beacon: Beacon, { queues, min, max, targetAgeMs }: ScalerPlan) {
    this.#beacon = beacon
    this.#workers = min
    const plan = { min, max, targetAgeMs, ...(queues === undefined ? {} : { queues }) }
    beacon.begin(
      (): Omit<ScalerView, keyof Presence> => ({
        ...plan,
        workers: this.#workers,
        decisions: this.#decisions,
      }),
    )
  }

  /** A change, or what keeps it from one. */
  note(decision: ScalingDecision): void {
    this.#workers = decision.to
    this.#decisions.push(decision)
    if (this.#decisions.length > MOST) this.#decisions.shift()
  }

  /** Takes leave. */
  end(): Promise<void> {
    return this.#beacon.end()
  }
}
