// One measurement on a seeded file in a process of its own: `measure.mjs '{"file", "seed" | "measure"}'` sends its figures.
import { statSync } from 'node:fs'
import { offload, task } from 'offload'
import { z } from 'zod'

const JOBS = 20_000
const { file, waiting = 0, ended = 0, seed } = JSON.parse(process.argv[2])
const payload = {
  orderId: 'ord_0123456789abcdef',
  to: 'someone.with.a.name@example.com',
  lines: [{ sku: 'A-1', n: 2 }],
  note: 'please leave it at the door, thank you',
  total: 4250,
}
const noop = task('noop', { input: z.custom(), run: async () => {} })
const queue = offload({
  url: `sqlite:${file}?synchronous=${seed ? 'normal' : 'full'}`,
  tasks: [noop],
  limits: { waiting: 100_000_000 },
  retention: { endedCount: 100_000_000 },
})
await queue.ready()

async function enqueue(n, inFlight) {
  let left = n
  const loop = async () => {
    while (left-- > 0) await queue.enqueue(noop, payload)
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
}

/** Runs `n` jobs and answers how many a second, and the most memory that was seen. */
async function drain(n) {
  const worker = queue.work({ concurrency: 100 })
  let done = 0
  let first
  let rss = 0
  await new Promise((resolve) => {
    worker.on('done', () => {
      first ??= performance.now()
      if (++done % 1000 === 0) rss = Math.max(rss, process.memoryUsage.rss())
      if (done === n) resolve()
    })
  })
  const rate = ((n - 1) / (performance.now() - first)) * 1000
  await worker.stop()
  return { rate, rss }
}

async function accept(n) {
  const begun = performance.now()
  await enqueue(n, 100)
  return (n / (performance.now() - begun)) * 1000
}

/** The median of `times` calls, in ms. */
async function median(times, call) {
  const all = []
  for (let n = 0; n < times; n++) {
    const begun = performance.now()
    await call(n)
    all.push(performance.now() - begun)
  }
  return all.sort((a, b) => a - b)[Math.floor(times / 2)]
}

if (seed) {
  await enqueue(ended, 1000)
  if (ended > 0) await drain(ended)
  await enqueue(waiting, 1000)
  await queue.close()
  process.send({ bytes: statSync(file).size }, () => process.exit())
} else {
  const before = process.memoryUsage.rss()
  const acceptRate = await accept(JOBS)
  const { jobs } = await queue.find({ limit: 200 })
  const find = await median(20, () => queue.find({ limit: 100 }))
  const dead = await median(20, () => queue.find({ state: 'dead' }))
  const get = await median(200, (n) => queue.get(jobs[n % jobs.length].id))
  const depth = await median(20, () => queue.depth())
  const one = await median(200, () => queue.enqueue(noop, payload))
  const { rate, rss } = await drain(JOBS)
  process.send({ acceptRate, drainRate: rate, one, find, dead, get, depth, rssGrown: rss - before }, () =>
    process.exit(),
  )
}
