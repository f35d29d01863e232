import { discard, offload, task } from 'offload'
import { z } from 'zod'

/** Half of the jobs wait, and are older than the other half, which has ended: one of seven as a dead letter. */
const { url, jobs } = JSON.parse(process.argv[2] ?? '')
const input = z.object({ orderId: z.string(), cents: z.int(), note: z.string() })
const report = task('report.build', { queue: 'reports', input, run() {} })
const charge = task('payment.charge', {
  queue: 'payments',
  input,
  run: ({ cents }) =>
    cents % 7 === 0 ? discard(`order ${cents} was declined by bank ${cents % 3}`) : { paid: cents },
})
const silent = () => {}
const queue = offload({
  url,
  tasks: [report, charge],
  logger: { debug: silent, info: silent, warn: silent, error: silent },
  retention: { endedCount: jobs, deadCount: jobs },
  limits: { waiting: jobs },
})
const BATCH = 5000
for (const one of [report, charge])
  for (let at = 0; at < jobs / 2; at += BATCH)
    await queue.enqueueMany(
      one,
      Array.from({ length: BATCH }, (_, nth) => ({
        input: { orderId: `o${at + nth}`, cents: at + nth, note: 'x'.repeat(60) },
      })),
    )
const worker = queue.work({ queues: ['payments'], concurrency: 200 })
for (;;) {
  const { ready, running } = await queue.depth('payments')
  if (ready + running === 0) break
  await new Promise((resolve) => setTimeout(resolve, 200))
}
await worker.stop()
await queue.close()
