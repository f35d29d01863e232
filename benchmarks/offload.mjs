import { statSync } from 'node:fs'
import { offload, task } from 'offload'
import { z } from 'zod'

const checked = z.object({
  orderId: z.string(),
  to: z.string(),
  lines: z.array(z.object({ sku: z.string(), n: z.number() })),
  note: z.string(),
  total: z.number(),
  at: z.number(),
})

const variants = {
  offload: { query: '', input: z.custom() },
  'offload unsynced': { query: '?synchronous=normal', input: z.custom() },
  'offload zod': { query: '', input: checked },
}

/** @type {import('./system.ts').Open} */
export async function open({ system, path }) {
  const { query, input } = variants[system]
  const noop = task('noop', { input, run: async (payload) => onStart(payload) })
  let onStart = () => {}
  const queue = offload({ url: `sqlite:${path}${query}`, tasks: [noop] })
  await queue.ready()
  return {
    add: (payload) => queue.enqueue(noop, payload),
    addMany: (payloads) =>
      queue.enqueueMany(
        noop,
        payloads.map((one) => ({ input: one })),
      ),
    work(concurrency, hooks) {
      onStart = hooks.onStart
      queue.work({ concurrency }).on('done', hooks.onDone)
    },
    bytes: async () => statSync(path).size + statSync(`${path}-wal`).size,
    close: () => queue.close(),
  }
}
