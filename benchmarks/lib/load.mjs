import { payload } from './payload.mjs'

const WARM_UP = 5000

export const now = () => performance.timeOrigin + performance.now()

export const perSecond = (n, ms) => Math.round((n / ms) * 1000)

/** Adds `n` jobs with so many calls under way at once. */
export async function inFlight(calls, n, add) {
  let left = n
  const loop = async () => {
    while (left-- > 0) await add(payload())
  }
  await Promise.all(Array.from({ length: calls }, loop))
}

/** Adds `n` jobs, a thousand a call. */
export async function addMany(queue, n, priorityOf) {
  for (let at = 0; at < n; at += 1000)
    await queue.addMany(
      Array.from({ length: Math.min(1000, n - at) }, () => payload()),
      priorityOf,
    )
}

/** Starts to work; the answer resolves with the instants of the first start and of the n-th end. */
export function workThrough(queue, concurrency, n, onStart = () => {}) {
  return new Promise((resolve) => {
    let first
    let done = 0
    queue.work(concurrency, {
      onStart(job) {
        first ??= now()
        onStart(job)
      },
      onDone() {
        if (++done === n) resolve({ first, last: now() })
      },
    })
  })
}

/** Accepts and runs some jobs on a queue of its own, so that the code is compiled and the server has its scripts. */
export async function warmUp(warm) {
  const ended = workThrough(warm, 100, WARM_UP)
  await inFlight(100, WARM_UP, warm.add)
  await ended
  await warm.close()
}

export function spread(waits) {
  const sorted = [...waits].sort((a, b) => a - b)
  const part = (at) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]
  return { p50: part(0.5), p99: part(0.99) }
}
