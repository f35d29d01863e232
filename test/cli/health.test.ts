import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startRedis } from '../../scripts/servers/redis.ts'
import { needs, own } from '../servers.ts'
import { Desk, healthOf, ownQueue, tasks } from './program.ts'

const blocking = join(import.meta.dirname, '../fixtures/cli/blocking.ts')
const redis = await needs('redis', startRedis)
const patience = { timeout: 20_000, interval: 100 }

async function readyz(url: string): Promise<{ status: number; detail?: string }> {
  const answer = await fetch(`${url}/readyz`)
  const text = await answer.text()
  return answer.status === 200 ? { status: 200 } : { status: answer.status, detail: JSON.parse(text).detail }
}

test('a worker process serves probes and metrics to its own host', async () => {
  const desk = new Desk()
  const id = await desk.enqueue('hello', '{"name":"x"}')
  const worker = desk.start(['work', tasks, '--health', '0'])
  const url = await healthOf(worker)
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  await desk.until(id, 'done')
  expect(await (await fetch(`${url}/livez`)).text()).toBe('ok\n')
  expect(await readyz(url)).toEqual({ status: 200 })
  const metrics = await fetch(`${url}/metrics`)
  expect(await metrics.text()).toContain(
    'offload_attempts_total{queue="default",task="hello",outcome="done"} 1\n',
  )
  expect((await fetch(`${url}/jobs`)).status).toBe(404)
  expect((await fetch(`${url}/readyz`, { method: 'POST' })).status).toBe(405)
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0 })
  await expect(fetch(`${url}/livez`)).rejects.toThrow()
})

test('a queue of the module serves probes too', async () => {
  const desk = new Desk()
  const worker = desk.start(['work', ownQueue, '--health', '127.0.0.1:0'])
  const url = await healthOf(worker)
  expect(await readyz(url)).toEqual({ status: 200 })
  expect((await fetch(`${url}/metrics`)).status).toBe(200)
})

test('a worker that drains is not ready, and lives', async () => {
  const desk = new Desk()
  const file = join(desk.folder, 'go')
  const id = await desk.enqueue('until-file', JSON.stringify({ file }))
  const worker = desk.start(['work', tasks, '--health', '0'])
  const url = await healthOf(worker)
  await desk.until(id, 'running')
  expect(await readyz(url)).toEqual({ status: 200 })
  worker.child.kill('SIGTERM')
  await worker.says('stopping, 1 running')
  expect(await readyz(url)).toEqual({ status: 503, detail: 'it is stopping, and takes nothing more' })
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  writeFileSync(file, '')
  expect(await worker.ended).toMatchObject({ code: 0 })
})

test('a worker whose handler blocked the loop is not ready, and says so', async () => {
  const desk = new Desk()
  const worker = desk.start(['work', blocking, '--health', '0'])
  const url = await healthOf(worker)
  await desk.run('enqueue', 'block', '{"ms":1500}', '--module', blocking)
  await vi.waitFor(async () => {
    expect(await readyz(url)).toMatchObject({
      status: 503,
      detail: expect.stringMatching(/^the event loop was blocked for \d{4,} ms a moment ago$/),
    })
  }, patience)
  await vi.waitFor(async () => expect(await readyz(url)).toEqual({ status: 200 }), patience)
})

test('an address that cannot be read is refused', async () => {
  const desk = new Desk()
  for (const address of ['x', '70000', '127.0.0.1:'])
    expect(await desk.run('work', tasks, '--health', address)).toMatchObject({ code: 2 })
})

test.skipIf(redis === undefined)(
  'while Redis is gone a worker is not ready and says why without its password; back, it is ready again',
  async () => {
    const server = await own('redis', () => startRedis(['--requirepass', 'hunter2', '--save', '']))
    const desk = new Desk()
    const worker = desk.start(['work', tasks, '--health', '0'], { OFFLOAD_URL: server.url })
    const url = await healthOf(worker)
    expect(await readyz(url)).toEqual({ status: 200 })
    await server.kill()
    await vi.waitFor(async () => {
      const { status, detail } = await readyz(url)
      expect(status).toBe(503)
      expect(detail).toMatch(/^the backend cannot be reached.*: .+/)
      expect(detail).not.toContain('hunter2')
    }, patience)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    const told = async (...lines: readonly string[]) => {
      const page = await (await fetch(`${url}/metrics`)).text()
      for (const line of lines) expect(page).toContain(`${line}\n`)
    }
    await vi.waitFor(
      () => told('offload_up 0', 'offload_backend_troubles_total 1', 'offload_workers{state="degraded"} 1'),
      patience,
    )
    await server.restart()
    await vi.waitFor(async () => expect(await readyz(url)).toEqual({ status: 200 }), patience)
    await told('offload_up 1', 'offload_backend_reconnects_total 1', 'offload_workers{state="running"} 1')
    expect(worker.out + worker.err).not.toContain('hunter2')
  },
)
