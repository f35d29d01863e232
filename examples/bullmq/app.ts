import { discard, offload, schedule, task } from 'offload'
import { z } from 'zod'
import { isKnown, sendMail } from './mailer.ts'

const receipt = task('receipt', {
  queue: 'mail',
  input: z.object({ orderId: z.string(), to: z.email() }),
  retry: { attempts: 8, base: '1s' },
  timeout: '10s',
  async run({ orderId, to }, job) {
    if (!isKnown(to)) return discard('no such customer')
    job.progress(50)
    return sendMail(to, `Order ${orderId}`, { signal: job.signal })
  },
})

const nightly = schedule('receipt.sample', {
  task: receipt,
  input: { orderId: 'sample', to: 'ops@example.com' },
  cron: '0 3 * * *',
  timeZone: 'Europe/Berlin',
})

const url = process.env.OFFLOAD_URL ?? 'sqlite:offload.db'
const queue = offload({ url, tasks: [receipt], schedules: [nightly] })
const worker = queue.work({ queues: ['mail'], concurrency: 50 })
worker.on('dead', ({ jobId, error }) => console.error(jobId, error))

const order = { orderId: 'o1', to: 'ada@example.com' }
const handle = await queue.enqueue(receipt, order, { id: 'receipt-o1', priority: 9 })
console.log(await handle.result({ timeout: '10s' }))
console.log(await queue.depth('mail'))

const stranger = await queue.enqueue(receipt, { orderId: 'o2', to: 'eve@example.com' })
console.log(await stranger.result().catch((error) => error.code))

await worker.stop({ timeout: '20s' })
await queue.close()
