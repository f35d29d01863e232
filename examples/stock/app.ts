import { setTimeout as sleep } from 'node:timers/promises'
import { discard, offload, task } from 'offload'
import { z } from 'zod'

/** A warehouse without locks: it reads, thinks, and writes. Two at once would sell the same piece twice. */
const stock = new Map([
  ['book', 5],
  ['lamp', 3],
])

const take = task('stock.take', {
  input: z.object({ sku: z.string(), order: z.number() }),
  key: ({ sku }) => sku, // one at a time for each article, in the order of acceptance; articles side by side
  retry: { attempts: 5, base: '10ms', max: '20ms' },
  async run({ sku, order }, job) {
    const left = stock.get(sku) ?? 0
    await sleep(Math.random() * 10)
    if (order % 4 === 0 && job.attempt === 1) throw new Error('the warehouse did not answer') // its place is kept
    if (left === 0) return discard(`no ${sku} left for order ${order}`)
    stock.set(sku, left - 1)
    return { sku, order, left: left - 1 }
  },
})

const queue = offload({ url: 'sqlite:stock.db', tasks: [take] })
const orders = Array.from({ length: 12 }, (_, order) => ({ sku: order % 3 === 2 ? 'lamp' : 'book', order }))
const answers = await queue.enqueueMany(
  take,
  orders.map((input) => ({ input })),
)
const workers = [queue.work({ concurrency: 10 }), queue.work({ concurrency: 10 })]

const sold: Record<string, number[]> = { book: [], lamp: [] }
const refused: number[] = []
for (const [order, answer] of answers.entries()) {
  if (answer.status === 'rejected') throw answer.error
  try {
    const { sku } = await answer.handle.result()
    sold[sku]?.push(order)
  } catch {
    refused.push(order)
  }
}
console.log('books to', sold.book?.join(' '), '| lamps to', sold.lamp?.join(' '))
console.log('refused', refused.join(' '))
console.log('left', stock.get('book'), stock.get('lamp'))

await Promise.all(workers.map((worker) => worker.stop()))
await queue.close()
