import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Backend } from '../backend.ts'
import type { Clock } from '../clock.ts'
import type { Documents } from '../documents.ts'
import type { PresenceKind } from './beacon.ts'
import { Beacon, presenceKinds } from './beacon.ts'
import { rollCall, scalersOf } from './roll.ts'
import type { ScalerPlan } from './scaling.ts'
import { ScalingLog } from './scaling.ts'
import type { ScalerView, WorkerView } from './view.ts'

export interface PresencesParts {
  readonly open: () => Promise<Backend>
  /** @param what is to be remembered @throws CAPABILITY_MISSING */
  readonly documents: (what: string) => Promise<Documents>
  readonly clock: Clock
  /** How often who is here tells of itself; undefined: never. */
  readonly everyMs: number | undefined
}

/** Who is there on all hosts, and how this process is seen there. */
export class Presences {
  readonly #parts: PresencesParts

  constructor(parts: PresencesParts) {
    this.#parts = parts
  }

  async workers(): Promise<WorkerView[]> {
    const { documents, clock } = this.#parts
    return rollCall(await documents('workers'), clock.now())
  }

  async scalers(): Promise<ScalerView[]> {
    const { documents, clock } = this.#parts
    return scalersOf(await documents('scalers'), clock.now())
  }

  /** By which a worker is seen. */
  ofWorker(): Beacon | undefined {
    return this.#beacon(presenceKinds.workers)
  }

  /** By which an autoscaler is seen. */
  ofScaler(plan: ScalerPlan): ScalingLog | undefined {
    const beacon = this.#beacon(presenceKinds.scalers)
    return beacon && new ScalingLog(beacon, plan)
  }

  #beacon(kind: PresenceKind): Beacon | undefined {
    const { open, clock, everyMs } = this.#parts
    if (everyMs === undefined) return undefined
    const id = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
    return new Beacon({ open, clock, kind, id, everyMs })
  }
}
