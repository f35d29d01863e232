import type { Job, Load } from './loads.ts'
import { TARGET_SECONDS } from './loads.ts'

/** What a scaler may know. Seconds. */
export interface View {
  readonly at: number
  readonly ready: number
  readonly running: number
  readonly oldestAge: number | undefined
  readonly accepted: number
  readonly ended: number
  /** Run time of all attempts that ended so far. */
  readonly ran: number
  readonly claiming: number
  readonly starting: number
  readonly draining: number
  readonly readable: boolean
}

/** One way to choose the number of workers. */
export interface Scaler {
  readonly name: string
  readonly everySeconds: number
  /** Which workers end first when there are too many; `idleOnly`: a busy one stays. */
  readonly retires: 'idle' | 'idleOnly' | 'oldest' | 'newest'
  /** A retired worker that still runs a job is killed after so long. */
  readonly graceSeconds: number
  /** Workers that claim or start from now on; undefined leaves it. */
  readonly scale: (view: View) => number | undefined
}

export interface Run {
  readonly secondsAbove: number
  readonly workerSeconds: number
  readonly peak: number
  readonly turns: number
  readonly killed: number
  /** Once a second. */
  readonly workers: readonly number[]
  readonly ages: readonly number[]
}

interface Worker {
  readonly claimsAt: number
  job?: { readonly at: number; readonly work: number; begun: number; left: number }
  retiredAt?: number
}

const STEP = 0.1

/** Runs the jobs of a load on the workers that a scaler asks for, in steps of a tenth of a second. A worker runs one at a time. */
export function run(load: Load, jobs: readonly Job[], makeScaler: () => Scaler, first: number): Run {
  const scaler = makeScaler()
  let workers: Worker[] = Array.from({ length: first }, () => ({ claimsAt: 0 }))
  const again: Job[] = []
  let [next, head, ended, ran, killed] = [0, 0, 0, 0, 0]
  let [secondsAbove, workerSeconds, peak, turns, direction] = [0, 0, first, 0, 0]
  const samples = { workers: [] as number[], ages: [] as number[] }
  const steps = Math.round(load.seconds / STEP)
  const every = Math.round(scaler.everySeconds / STEP)

  for (let step = 0; step < steps; step++) {
    const at = step * STEP
    while ((jobs[next]?.at ?? Number.POSITIVE_INFINITY) <= at) next++

    const claiming = workers.filter((one) => one.retiredAt === undefined && one.claimsAt <= at)
    for (const worker of claiming) {
      if (worker.job !== undefined) continue
      const job = again.shift() ?? (head < next ? jobs[head++] : undefined)
      if (job === undefined) break
      worker.job = { ...job, begun: at, left: job.work }
    }

    const busy = workers.filter(({ job }) => job !== undefined)
    const speed = Math.min(1, load.capacity(at) / Math.max(1, busy.length))
    for (const worker of busy) {
      const { job } = worker
      if (job === undefined) continue
      job.left -= STEP * speed
      if (job.left > 0) continue
      ended++
      ran += at + STEP - job.begun
      delete worker.job
    }
    for (const worker of workers) {
      if (worker.job === undefined || worker.retiredAt === undefined) continue
      if (at - worker.retiredAt < scaler.graceSeconds) continue
      killed++
      again.push(worker.job)
      delete worker.job
    }
    workers = workers.filter((one) => one.retiredAt === undefined || one.job !== undefined)

    const oldest = again[0] ?? (head < next ? jobs[head] : undefined)
    const oldestAge = oldest === undefined ? undefined : at - oldest.at
    if ((oldestAge ?? 0) > TARGET_SECONDS) secondsAbove += STEP
    workerSeconds += workers.length * STEP
    peak = Math.max(peak, workers.length)
    if (step % 10 === 0) {
      samples.workers.push(workers.length)
      samples.ages.push(oldestAge ?? 0)
    }

    if (step % every !== 0) continue
    const staying = workers.filter(({ retiredAt }) => retiredAt === undefined)
    const wanted = scaler.scale({
      at,
      ready: again.length + next - head,
      running: workers.filter(({ job }) => job !== undefined).length,
      oldestAge,
      accepted: next,
      ended,
      ran,
      claiming: staying.filter(({ claimsAt }) => claimsAt <= at).length,
      starting: staying.filter(({ claimsAt }) => claimsAt > at).length,
      draining: workers.length - staying.length,
      readable: load.readable(at),
    })
    if (wanted === undefined || wanted === staying.length) continue
    const towards = Math.sign(wanted - staying.length)
    if (towards > 0) {
      for (let more = staying.length; more < wanted; more++)
        workers.push({ claimsAt: at + load.startSeconds })
    } else {
      const retired = toRetire(staying, staying.length - wanted, scaler, at)
      if (retired.length === 0) continue
      for (const worker of retired) worker.retiredAt = at
      workers = workers.filter((one) => one.retiredAt === undefined || one.job !== undefined)
    }
    if (towards !== direction && direction !== 0) turns++
    direction = towards
  }
  return { secondsAbove, workerSeconds, peak, turns, killed, ...samples }
}

function toRetire(staying: readonly Worker[], count: number, { retires }: Scaler, at: number): Worker[] {
  if (retires === 'oldest') return staying.slice(0, count)
  if (retires === 'newest') return staying.slice(-count)
  const idle = (one: Worker): boolean => one.job === undefined
  const candidates = retires === 'idleOnly' ? staying.filter(idle) : staying
  const place = (one: Worker): number => (one.claimsAt > at ? 0 : idle(one) ? 1 : 2)
  return candidates.toSorted((one, other) => place(one) - place(other)).slice(0, count)
}
