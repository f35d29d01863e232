// One process of the measurement: `process.mjs '{"role": "seed" | "work", "file", …}'` sends its figures.
import { offload, schedule, task } from 'offload'
import { z } from 'zod'

const CHUNK = 1000
const { role, file, schedules, startAt, spreadMs, shape } = JSON.parse(process.argv[2])
const lags = []
const noop = task('noop', {
  input: z.custom(),
  run: (_, job) => {
    lags.push(Date.now() - job.scheduledFor)
  },
})
const queue = offload({
  url: `sqlite:${file}`,
  tasks: [noop],
  retention: { endedCount: 100_000_000 },
})
await queue.ready()
if (role === 'seed') await seed()
else await work()

/** Each is due once while it is measured: by interval at an instant of its own, by cron at a second that many share. */
async function seed() {
  const begun = performance.now()
  for (let at = 0; at < schedules; at += CHUNK) {
    const chunk = Array.from({ length: Math.min(CHUNK, schedules - at) }, (_, n) => define(at + n))
    await Promise.all(chunk.map((one) => queue.schedules.put(one)))
  }
  const ms = performance.now() - begun
  await queue.close()
  process.send({ rate: (schedules / ms) * 1000 }, () => process.exit())
}

function define(nth) {
  const due = startAt + Math.floor((nth * spreadMs) / schedules)
  const common = { task: noop, input: { customer: `c-${nth}` } }
  if (shape === 'every') return schedule(`s-${nth}`, { ...common, every: due - Date.now() })
  const date = new Date(due)
  const cron = `${date.getUTCSeconds()} ${date.getUTCMinutes()} ${date.getUTCHours()} * * *`
  return schedule(`s-${nth}`, { ...common, cron })
}

/** Ticks and runs until it is told to report. */
async function work() {
  queue.work({ concurrency: 100 })
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  await wait(startAt - Date.now())
  const before = process.cpuUsage()
  await wait(startAt + spreadMs - Date.now())
  const { user, system } = process.cpuUsage(before)
  process.once('message', async () => {
    await queue.close()
    process.send({ lags, cpu: (user + system) / 10 / spreadMs }, () => process.exit())
  })
}
