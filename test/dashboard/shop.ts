import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Offload, Schedule } from 'offload'
import { content, discard, offload, schedule, task } from 'offload'
import type { DashboardOptions } from 'offload/dashboard'
import { z } from 'zod'
import { silentLogger } from '../../src/log.ts'
import type { Board } from './board.ts'
import { openBoard } from './board.ts'

/** What the handlers call, out of order until somebody mends it. */
export const provider = { isMended: false }

export const charge = task('payment.charge', {
  queue: 'payments',
  input: z.object({
    orderId: z.string().describe('As the customer sees it'),
    cents: z.int().positive(),
    method: z.enum(['card', 'invoice']).default('card'),
    gift: z.boolean().optional(),
    items: z.array(z.object({ sku: z.string() })).optional(),
  }),
  retry: { attempts: 2 },
  key: ({ orderId }) => orderId,
  run({ orderId, cents }, job) {
    job.log(`asking the provider for ${cents} cents`)
    job.progress({ step: 'asking the provider' })
    if (!provider.isMended) throw new Error(`payment of order ${orderId} refused: the API key has expired`)
    return { paid: true, cents }
  },
})

export const mail = task('mail.receipt', {
  queue: 'mail',
  input: z.object({ to: z.string() }),
  run: ({ to }) => (to.includes('@') ? undefined : discard(`${to} is no address`)),
})

/** Runs until it is told not to. */
export const report = task('report.build', {
  queue: 'reports',
  input: z.object({ day: z.string() }),
  run: ({ day }, job) => {
    if (day !== 'never') return content(`report of ${day}`, { type: 'text/csv', filename: `${day}.csv` })
    return new Promise((_, reject) => {
      job.signal.addEventListener('abort', () => reject(job.signal.reason), { once: true })
    })
  },
})

const schedules: readonly Schedule[] = [
  schedule('nightly.report', {
    task: report,
    input: { day: 'today' },
    cron: '0 3 * * *',
    timeZone: 'Europe/Berlin',
  }),
  schedule('hourly.mail', { task: mail, input: { to: 'ops@example.com' }, every: '1h', paused: true }),
]

export interface Shop {
  readonly queue: Offload
  readonly board: Board
  close(): Promise<void>
}

/** A shop with its dashboard, on any store; without a URL on a file of its own. */
export async function openShop(
  place: { readonly url?: string; readonly ledger?: string } = {},
  options: Partial<DashboardOptions> = {},
): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), 'offload-dashboard-'))
  const { url = `sqlite:${join(folder, 'jobs.db')}`, ledger } = place
  const queue = offload({
    url,
    tasks: [charge, mail, report],
    schedules,
    logger: silentLogger,
    ...(ledger === undefined ? {} : { ledger }),
  })
  await queue.ready()
  const board = await openBoard(queue, options)
  return {
    queue,
    board,
    async close() {
      await board.close()
      await queue.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
