import { offload } from 'offload'
import { openBooks } from './books.ts'
import type { Settings } from './settings.ts'
import { booksPath, reportPath } from './settings.ts'
import { openSteps } from './steps.ts'
import { storeOf } from './store.ts'
import { shopTasks } from './tasks.ts'

/** A worker process: `node worker.ts <settings>`. The demo starts two, and kills one. */
const settings: Settings = JSON.parse(process.argv[2] ?? '{}')
const books = openBooks(booksPath(settings, 'offload'))
const steps = openSteps(settings.paymentUrl, settings.mailPort, books)
const tasks = shopTasks(steps, books.orders, reportPath(settings))
const queue = offload({ ...storeOf(settings), tasks: tasks.all })
await queue.ready()

const lease = '4s' // short, so that the demo shows what happens when a worker dies
const workers = [
  queue.work({ queues: ['default'], concurrency: 20, lease }),
  queue.work({ queues: ['mail'], concurrency: 10, lease }),
]
process.send?.('ready')

async function stop(): Promise<void> {
  await Promise.all(workers.map((worker) => worker.stop({ timeout: '5s' })))
  await queue.close()
  steps.close()
  books.close()
  process.exit()
}
process.once('SIGTERM', stop)
process.once('disconnect', stop) // the demo is gone
if (!process.connected) await stop()
