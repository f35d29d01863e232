import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { content, endedJob, offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { z } from 'zod'

/** The notice: queued by the store itself, in the step in which the report ends, whatever way it ends. */
const tell = task('report.notice', {
  input: endedJob,
  run: async ({ id, state, data }) => {
    console.log(
      `mail to ${(data as { to: string }).to}: your report is ${state}, fetch it at /jobs/${id}/result`,
    )
  },
})

const report = task('report.sales', {
  input: z.object({ year: z.number().int().min(2000), to: z.email() }),
  async run({ year }, job) {
    const rows = ['month,orders']
    for (let month = 1; month <= 12; month++) {
      job.signal.throwIfAborted()
      rows.push(`${year}-${String(month).padStart(2, '0')},${month * 7}`)
      job.progress({ done: month, of: 12 })
      await sleep(100)
    }
    return content(`${rows.join('\n')}\n`, { type: 'text/csv; charset=utf-8', filename: `sales-${year}.csv` })
  },
})

const queue = offload({ url: 'sqlite:reports.db', tasks: [report, tell] })
const app = Fastify()
await app.register(offloadFastify, {
  queue,
  accept: {
    '/reports': {
      task: report,
      options: ({ to }: { to: string }) => ({ priority: 2, onDone: { task: tell, data: { to } } }),
    },
  },
})
const url = await app.listen({ port: 0 })
const worker = queue.work({ concurrency: 10, lease: '1s' })

// A customer: asks for it, watches it grow, fetches it.
const accepted = await fetch(`${url}/reports`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ year: 2030, to: 'ada@example.com' }),
})
const { links } = (await accepted.json()) as { links: { self: string; events: string } }
console.log(accepted.status, 'Retry-After', accepted.headers.get('retry-after'))

const events = await (await fetch(url + links.events)).text() // in a browser: new EventSource(links.events)
const names = [...events.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)
console.log('events:', names[0], '…', names.includes('progress') ? 'progress …' : '', names.at(-1))

const csv = await fetch(`${url}${links.self}/result`)
console.log(csv.headers.get('content-type'), csv.headers.get('content-disposition'))
console.log((await csv.text()).split('\n')[12])

while ((await queue.depth()).ready !== 0) await sleep(20)
await worker.stop()
await app.close()
await queue.close()
