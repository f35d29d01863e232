import type { BackendOptions } from 'offload'
import { offload } from 'offload'
import { openMemory } from 'offload/backends/memory'
import { metrics } from 'offload/metrics'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { silentLogger } from '../../src/log.ts'
import type { Door } from './doors.ts'
import { doors, everyDoor } from './doors.ts'
import { openShop, problem } from './shop.ts'
import { echo, hold, release, tasks } from './tasks.ts'

/** A backend that says what is in its queues while `isThere`. */
function away() {
  const state = { isThere: true }
  const url = {
    async open(options: BackendOptions) {
      const backend = openMemory(options)
      const depth = backend.ledger.depth.bind(backend.ledger)
      backend.ledger.depth = (queues) =>
        state.isThere ? depth(queues) : Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3:6379'))
      return backend
    },
  }
  return { state, url }
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('/livez and /readyz say that a process runs and can do its work', async () => {
      const shop = await openShop(door, { health: true })
      for (const path of ['/livez', '/readyz']) {
        const answer = await shop.fetch(path)
        expect(answer.status).toBe(200)
        expect(answer.headers.get('cache-control')).toBe('no-store')
        expect(await answer.text()).toBe('ok\n')
        expect((await shop.fetch(path, { method: 'HEAD' })).status).toBe(200)
      }
    })

    test('without the option there are no probes', async () => {
      const shop = await openShop(door)
      expect((await shop.fetch('/readyz')).status).toBe(404)
      expect((await shop.fetch('/livez')).status).toBe(404)
    })

    test('while the backend is away a process lives and is not ready, and tells why without naming hosts', async () => {
      const { state, url } = away()
      const queue = offload({ url, tasks, logger: silentLogger })
      const opened = await doors[door](queue, { health: { readyz: '/ready' } })
      onTestFinished(async () => {
        await opened.close()
        await queue.close()
      })
      const ready = () => opened.fetch('/ready')
      expect((await ready()).status).toBe(200)
      state.isThere = false
      await vi.waitFor(async () => expect((await ready()).status).toBe(503), { timeout: 10_000 })
      const refusal = await problem(await ready(), 503)
      expect(refusal).toMatchObject({ title: 'Not ready', detail: 'the backend cannot be reached' })
      expect(await (await opened.fetch('/ready?verbose')).text()).toBe(
        '[+] stopping ok\n[-] backend: the backend cannot be reached\n[+] claims ok\n[+] loop ok\nnot ready\n',
      )
      expect((await opened.fetch('/livez')).status).toBe(200)
      state.isThere = true
      await vi.waitFor(async () => expect((await ready()).status).toBe(200), { timeout: 10_000 })
    })

    test('metrics come as text or as OpenMetrics, and tell of the requests by their routes', async () => {
      const counts = metrics({ register: new Registry() })
      const shop = await openShop(door, { metrics: counts, accept: { '/echo': echo } }, { observe: [counts] })
      const posted = await shop.post('/echo', { text: 'a' })
      await shop.fetch(posted.headers.get('location') ?? '')
      await shop.fetch('/jobs/unknown', { method: 'DELETE' })
      const text = await shop.fetch('/metrics')
      expect(text.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      const body = await text.text()
      for (const labels of [
        'method="POST",route="/echo",status="202"',
        'method="GET",route="/jobs/{id}",status="200"',
        'method="DELETE",route="/jobs/{id}",status="405"',
      ])
        expect(body).toContain(`offload_http_request_seconds_count{${labels}} 1\n`)
      const open = await shop.fetch('/metrics', { headers: { accept: 'application/openmetrics-text' } })
      expect(open.headers.get('content-type')).toBe(
        'application/openmetrics-text; version=1.0.0; charset=utf-8',
      )
      expect(await open.text()).toMatch(/# EOF\n$/)
    })
  })

test('a queue that is closed, or a server that closes, is not ready', async () => {
  const queue = offload({ url: 'memory:', tasks, logger: silentLogger })
  const opened: Door = await doors.web(queue, { health: true })
  await queue.close()
  expect(await problem(await opened.fetch('/readyz'), 503)).toMatchObject({
    detail: expect.stringContaining('it is stopping, and takes nothing more'),
  })
  const shop = await openShop('web', { health: true })
  expect((await shop.fetch('/readyz')).status).toBe(200)
  await shop.close()
  expect((await shop.fetch('/readyz')).status).toBe(503)
})

test('a worker that stops is not ready while its last jobs run', async () => {
  const shop = await openShop('web', { health: true })
  const worker = shop.queue.work()
  await shop.queue.enqueue(hold, {})
  await vi.waitFor(() => expect(worker.health().running).toBe(1))
  expect((await shop.fetch('/readyz')).status).toBe(200)
  const stopping = worker.stop()
  expect(await problem(await shop.fetch('/readyz'), 503)).toMatchObject({
    detail: 'it is stopping, and takes nothing more',
  })
  release()
  await stopping
  expect((await shop.fetch('/readyz')).status).toBe(503)
})

test('a process whose loop was blocked is not ready for a moment', async () => {
  const shop = await openShop('web', { health: true })
  expect((await shop.fetch('/readyz')).status).toBe(200)
  for (const until = performance.now() + 1500; performance.now() < until; );
  expect(await problem(await shop.fetch('/readyz'), 503)).toMatchObject({
    detail: expect.stringMatching(/^the event loop was blocked for \d{4,} ms a moment ago$/),
  })
  await vi.waitFor(async () => expect((await shop.fetch('/readyz')).status).toBe(200), {
    timeout: 20_000,
    interval: 500,
  })
})
