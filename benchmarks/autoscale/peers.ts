import type { Scaler } from './plant.ts'

export interface Bounds {
  readonly min: number
  readonly max: number
}

/**
 * Laravel Horizon, `balance: auto` with its defaults: every 3 s one process more or less (`balanceMaxShift`) on the way to its
 * share of `maxProcesses`, which with one queue is all of them while anything is ready, and `minProcesses` (at least 1) when not.
 * A process ends after its job; one that hangs is stopped after `timeout`, 60 s.
 */
export function horizon({ min, max }: Bounds): Scaler {
  const least = Math.max(1, min)
  return {
    name: 'Horizon',
    everySeconds: 3,
    retires: 'oldest',
    graceSeconds: 60,
    scale({ ready, ran, ended, claiming, starting, draining, readable }) {
      if (!readable) return undefined
      const timeToClear = ready * (ended === 0 ? 0 : ran / ended)
      const wanted = timeToClear > 0 || ready > 0 ? max : least
      const staying = claiming + starting
      const total = staying + draining
      if (wanted > total) return Math.min(total + Math.min(max - total, 1), wanted) - draining
      return wanted < total ? Math.max(staying - 1, least) : undefined
    },
  }
}

/**
 * Celery's `--autoscale=max,min`: grows by the whole difference to what the worker holds (running and prefetched, four a
 * process), looked at with every message; shrinks to it, idle processes only, when nothing grew for 30 s. It reads nothing of the
 * broker, so an outage of that does not reach it.
 */
export function celery({ min, max }: Bounds): Scaler {
  const least = Math.max(1, min)
  const [prefetched, keepaliveSeconds] = [4, 30]
  let grewAt: number | undefined
  return {
    name: 'Celery',
    everySeconds: 0.1,
    retires: 'idleOnly',
    graceSeconds: Number.POSITIVE_INFINITY,
    scale({ at, ready, running, claiming, starting }) {
      const processes = claiming + starting
      const held = running + Math.min(ready, prefetched * processes)
      if (Math.min(held, max) > processes) {
        grewAt = at
        return Math.min(held, max)
      }
      const rested = grewAt !== undefined && at - grewAt > keepaliveSeconds
      return rested && held < processes ? Math.max(held, least) : undefined
    },
  }
}

/**
 * KEDA with a queue length of 5 a replica (visible and in flight), and the HPA that it makes: every 15 s, 10 % tolerance, up by 4 pods
 * or 100 % in 15 s, down to the highest recommendation of five minutes; from none when KEDA polls, every 30 s, to none when nothing was
 * there for 300 s. While the metric fails nothing changes. A pod is killed 30 s after it was told to end.
 */
export function keda({ min, max }: Bounds): Scaler {
  const [perPod, tolerance, windowSeconds, cooldownSeconds, pollSeconds] = [5, 0.1, 300, 300, 30]
  let recommended: { at: number; pods: number }[] = []
  let activeAt = 0
  return {
    name: 'KEDA + HPA',
    everySeconds: 15,
    retires: 'newest',
    graceSeconds: 30,
    scale({ at, ready, running, claiming, starting, readable }) {
      const pods = claiming + starting
      if (!readable) return undefined
      const length = ready + running
      if (length > 0) activeAt = at
      if (pods === 0) return at % pollSeconds === 0 && length > 0 ? Math.max(1, min) : undefined
      if (min === 0 && at - activeAt >= cooldownSeconds) return 0
      const ratio = length / (perPod * pods)
      const raw = Math.abs(ratio - 1) <= tolerance ? pods : Math.ceil(length / perPod)
      recommended = [...recommended, { at, pods: raw }].filter((one) => one.at > at - windowSeconds)
      const stable = Math.max(raw, Math.min(pods, Math.max(...recommended.map((one) => one.pods))))
      const most = Math.max(pods + 4, pods * 2)
      return Math.min(max, most, Math.max(1, min, stable))
    },
  }
}
