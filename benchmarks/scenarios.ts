import { DatabaseSync } from 'node:sqlite'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { z } from 'zod'

/** About 165 bytes of JSON. */
const input = {
  orderId: 'ord_0123456789abcdef',
  to: 'someone.with.a.name@example.com',
  lines: [{ sku: 'A-1', n: 2 }],
  note: 'please leave it at the door, thank you',
  total: 4250,
}

const noop = task('noop', {
  input: z.object({
    orderId: z.string(),
    to: z.string(),
    lines: z.array(z.object({ sku: z.string(), n: z.number() })),
    note: z.string(),
    total: z.number(),
  }),
  run() {},
})

/** Runs on a fresh file and answers jobs a second (or milliseconds where the name says so). */
export type Scenario = (file: string, jobs: number) => Promise<number>

const open = (file: string): Offload => offload({ url: `sqlite:${file}`, tasks: [noop] })

async function inFlight(calls: number, jobs: number, call: () => Promise<unknown>): Promise<void> {
  let left = jobs
  const loop = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: calls }, loop))
}

async function rate(jobs: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return Math.round((jobs / (performance.now() - begun)) * 1000)
}

async function runAll(queue: Offload, jobs: number): Promise<void> {
  const worker = queue.work({ concurrency: 100 })
  let done = 0
  await new Promise<void>((resolve) => {
    worker.on('done', () => {
      if (++done === jobs) resolve()
    })
  })
  await worker.stop()
}

/** Accept, one call after the other. */
export const acceptOne: Scenario = async (file, jobs) => {
  await using queue = open(file)
  await queue.ready()
  return await rate(jobs, () => inFlight(1, jobs, () => queue.enqueue(noop, input)))
}

/** Accept, 100 calls in flight. */
export const acceptHundred: Scenario = async (file, jobs) => {
  await using queue = open(file)
  await queue.ready()
  return await rate(jobs, () => inFlight(100, jobs, () => queue.enqueue(noop, input)))
}

/** Run a backlog, 100 at once. */
export const drain: Scenario = async (file, jobs) => {
  await using queue = open(file)
  await inFlight(100, jobs, () => queue.enqueue(noop, input))
  return await rate(jobs, () => runAll(queue, jobs))
}

/** Accept and run at the same time, in one process. */
export const endToEnd: Scenario = async (file, jobs) => {
  await using queue = open(file)
  await queue.ready()
  return await rate(jobs, async () => {
    const running = runAll(queue, jobs)
    await inFlight(100, jobs, () => queue.enqueue(noop, input))
    await running
  })
}

/** The raw limit of the machine: rows of the same payload into one table of node:sqlite, 100 a transaction, each fsynced. */
export const rawInsert: Scenario = async (file, jobs) => {
  const db = new DatabaseSync(file)
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = full; create table jobs (seq integer primary key, id text unique, payload text)',
  )
  const insert = db.prepare('insert into jobs (id, payload) values (?, ?)')
  const payload = JSON.stringify(input)
  let n = 0
  const result = await rate(jobs, async () => {
    while (n < jobs) {
      db.exec('begin immediate')
      for (let i = 0; i < 100; i++) insert.run(`job-${++n}`, payload)
      db.exec('commit')
    }
  })
  db.close()
  return result
}
