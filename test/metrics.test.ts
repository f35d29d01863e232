import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { offload, snooze, task } from 'offload'
import { metrics } from 'offload/metrics'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { BackendOptions } from '../src/backend.ts'
import { openMemory } from '../src/backends/memory/index.ts'
import { silentLogger } from '../src/log.ts'
import { instrumentNames, instruments } from '../src/observe/metrics/instruments.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offload-metrics-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const mail = task('mail', {
  input: z.object({ end: z.string() }),
  queue: 'mails',
  retry: { attempts: 2, base: 1 },
  run({ end }, job) {
    if (end === 'throw') throw new Error('it broke')
    if (end === 'snooze' && job.attempt === 1 && !snoozed.has(job.id)) {
      snoozed.add(job.id)
      return snooze(1)
    }
  },
})
const snoozed = new Set<string>()

/** The value of each line of a page, by what stands before it. */
function linesOf(page: string): Record<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

test('what happened to jobs, what is in the queues and what the workers do is on the page', async () => {
  const counts = metrics({ register: new Registry() })
  await using queue = offload({
    url: `sqlite:${join(folder, 'jobs.db')}`,
    tasks: [mail],
    logger: silentLogger,
    observe: [counts],
  })
  for (const end of ['ok', 'ok', 'throw', 'snooze']) await queue.enqueue(mail, { end })
  await queue.enqueue(mail, { end: 'ok' }, { id: 'twice' })
  await queue.enqueue(mail, { end: 'ok' }, { id: 'twice' })
  const before = linesOf((await counts.page()).body)
  expect(before).toMatchObject({
    offload_up: 1,
    'offload_queue_jobs{queue="mails",state="ready"}': 5,
    'offload_queue_jobs{queue="mails",state="dead"}': 0,
    'offload_queue_paused{queue="mails"}': 0,
    'offload_jobs_accepted_total{queue="mails",task="mail",answer="queued"}': 5,
    'offload_jobs_accepted_total{queue="mails",task="mail",answer="duplicate"}': 1,
    offload_worker_slots: 0,
  })
  expect(before['offload_queue_oldest_ready_age_seconds{queue="mails"}']).toBeGreaterThanOrEqual(0)
  expect(before['offload_accept_seconds_bucket{le="+Inf"}']).toBe(before.offload_accept_seconds_count)
  queue.work({ concurrency: 3 })
  await vi.waitFor(
    async () =>
      expect(linesOf((await counts.page()).body)).toMatchObject({
        'offload_queue_jobs{queue="mails",state="ready"}': 0,
        'offload_queue_jobs{queue="mails",state="dead"}': 1,
        'offload_queue_oldest_ready_age_seconds{queue="mails"}': 0,
        'offload_attempts_total{queue="mails",task="mail",outcome="done"}': 4,
        'offload_attempts_total{queue="mails",task="mail",outcome="retry"}': 1,
        'offload_attempts_total{queue="mails",task="mail",outcome="dead"}': 1,
        'offload_attempts_total{queue="mails",task="mail",outcome="snooze"}': 1,
        'offload_job_run_seconds_count{queue="mails",task="mail"}': 7,
        offload_settle_seconds_count: 7,
        offload_worker_slots: 3,
        'offload_workers{state="running"}': 1,
        'offload_queue_workers{queue="mails"}': 1,
      }),
    { timeout: 10_000, interval: 200 },
  )
  const { body } = await counts.page()
  for (const name of instrumentNames) expect(body).toContain(`# TYPE ${name} ${instruments[name].kind}`)
  expect(linesOf(body)['offload_event_loop_delay_seconds{quantile="1"}']).toBeGreaterThanOrEqual(0)
})

test('whoever asks for OpenMetrics gets it, again and again, and the text for the others stays as it was', async () => {
  const register = new Registry()
  register.setDefaultLabels({ app: 'shop' })
  const counts = metrics({ register })
  await using queue = offload({ url: 'memory:', tasks: [mail], observe: [counts] })
  await queue.enqueue(mail, { end: 'ok' })
  const line = 'offload_jobs_accepted_total{queue="mails",task="mail",answer="queued",app="shop"} 1'
  for (let nth = 0; nth < 2; nth++) {
    const open = await counts.page('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
    expect(open.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(open.body).toContain(`# TYPE offload_jobs_accepted counter\n${line}\n`)
    expect(open.body).toMatch(/\n# EOF\n$/)
    const text = await counts.page('*/*')
    expect(text.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text.body).toContain(`# TYPE offload_jobs_accepted_total counter\n${line}\n`)
  }
})

test('while the backend says nothing, the page comes all the same and says that it is away', async () => {
  let isThere = true
  let asked = 0
  const url = {
    async open(options: BackendOptions) {
      const backend = openMemory(options)
      const depth = backend.ledger.depth.bind(backend.ledger)
      backend.ledger.depth = async (names) => {
        asked++
        return isThere ? depth(names) : new Promise<never>(() => {})
      }
      return backend
    },
  }
  const counts = metrics({ register: new Registry() })
  await using queue = offload({ url, tasks: [mail], observe: [counts] })
  await queue.enqueue(mail, { end: 'ok' })
  const away = vi.fn(async () => {
    const lines = linesOf((await counts.page()).body)
    expect(lines.offload_up).toBe(0)
    return lines
  })
  expect(linesOf((await counts.page()).body)).toMatchObject({ offload_up: 1 })
  await Promise.all(Array.from({ length: 50 }, () => counts.page()))
  expect(asked).toBe(1)
  isThere = false
  const lines = await vi.waitFor(away, { timeout: 20_000, interval: 100 })
  expect(Object.keys(lines).filter((name) => name.startsWith('offload_queue_'))).toEqual([])
  expect(lines['offload_jobs_accepted_total{queue="mails",task="mail",answer="queued"}']).toBe(1)
  const before = asked
  await counts.page()
  expect(asked).toBe(before)
})

test('a backend that rejects is away, and one that is back is up again', async () => {
  let isThere = false
  const url = {
    async open(options: BackendOptions) {
      const backend = openMemory(options)
      const depth = backend.ledger.depth.bind(backend.ledger)
      backend.ledger.depth = async (names) => {
        if (!isThere) throw new Error('gone')
        return depth(names)
      }
      return backend
    },
  }
  const counts = metrics({ register: new Registry() })
  await using queue = offload({ url, tasks: [mail], observe: [counts] })
  await queue.ready()
  expect(linesOf((await counts.page()).body).offload_up).toBe(0)
  isThere = true
  await vi.waitFor(async () => expect(linesOf((await counts.page()).body).offload_up).toBe(1), {
    timeout: 10_000,
    interval: 200,
  })
})

test('two queues in one registry are refused, and a closed queue leaves room for the next', async () => {
  const register = new Registry()
  const first = offload({ url: 'memory:', tasks: [mail], observe: [metrics({ register })] })
  expect(() => metrics({ register })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  await first.close()
  expect(register.getMetricsAsArray()).toEqual([])
  metrics({ register })
})
