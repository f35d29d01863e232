import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { offload, task } from 'offload'
import { nodeRoutes } from 'offload/http/node'
import { metrics } from 'offload/metrics'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { findPrometheus } from '../scripts/servers/programs.ts'
import { Prometheus } from '../scripts/servers/prometheus.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { silentLogger } from '../src/log.ts'
import { instrumentNames, instruments } from '../src/observe/metrics/instruments.ts'
import { Desk, healthOf } from './cli/program.ts'
import { block } from './fixtures/cli/blocking.ts'
import { needs, own } from './servers.ts'

const ops = join(import.meta.dirname, '../ops')
const rules = readFileSync(join(ops, 'prometheus/offload.rules.yaml'), 'utf8')
const dashboard = JSON.parse(readFileSync(join(ops, 'grafana/offload.json'), 'utf8'))

const blocking = join(import.meta.dirname, 'fixtures/cli/blocking.ts')
const redis = await needs('redis', startRedis)
const found = await needs('prometheus', async () => {
  const path = findPrometheus()
  return path === undefined ? undefined : { path, stop: async () => {} }
})

/** The queries of the dashboard, for one queue or all, as Grafana would send them. */
const queries: readonly string[] = dashboard.panels
  .flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr))
  .map((expr: string) => expr.replaceAll('$queue', '.*').replaceAll('$__rate_interval', '5s'))

/** Names of series that exist: a histogram has three. */
const series = new Set(
  instrumentNames.flatMap((name) =>
    instruments[name].kind === 'histogram'
      ? ['bucket', 'sum', 'count'].map((suffix) => `${name}_${suffix}`)
      : [name],
  ),
)

test('the dashboard and the rules ask for nothing that is not measured', () => {
  const asked = new Set([...queries, rules].flatMap((text) => text.match(/\boffload_\w+/g) ?? []))
  expect([...asked].filter((name) => !series.has(name) && !instrumentNames.includes(name as never))).toEqual(
    [],
  )
  expect(asked.size).toBeGreaterThan(15)
})

test('each metric stands in the dashboard or in a rule', () => {
  const text = [...queries, rules].join('\n')
  expect(instrumentNames.filter((name) => !text.includes(name) && name !== 'offload_queue_paused')).toEqual(
    [],
  )
})

const quick = task('quick', { queue: 'quick', input: z.object({}), run: () => wait(1) })
const failing = task('failing', {
  queue: 'failing',
  input: z.object({}),
  retry: { attempts: 1 },
  run() {
    throw new Error('it broke')
  },
})
const stuck = task('stuck', {
  queue: 'stuck',
  input: z.object({}),
  run: (_input, job) => new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve())),
})
const unserved = task('unserved', { queue: 'unserved', input: z.object({}), run: () => {} })

describe.skipIf(found === undefined)('a real Prometheus', () => {
  test('takes the rules, and they tell what their tests say', () => {
    for (const words of [
      ['check', 'rules', 'offload.rules.yaml'],
      ['test', 'rules', 'offload.rules.test.yaml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: join(ops, 'prometheus') })
      expect([status, String(stdout) + String(stderr)]).toEqual([0, expect.stringContaining('SUCCESS')])
    }
  })

  test('scrapes a run, answers every query of the dashboard, and its rules fire', async () => {
    const counts = metrics({ register: new Registry() })
    const queue = offload({
      url: 'memory:',
      tasks: [quick, failing, stuck, unserved],
      logger: silentLogger,
      observe: [counts],
    })
    const routes = nodeRoutes(queue, { metrics: counts, accept: { '/quick': quick } })
    const server = createServer((req, res) => routes(req, res)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      server.closeAllConnections()
      await queue.close()
    })
    const { port } = server.address() as AddressInfo
    const prometheus = await Prometheus.start({ targets: [`127.0.0.1:${port}`], rules: hastened(rules) })
    if (prometheus === undefined) throw new Error('no Prometheus')
    onTestFinished(() => prometheus.stop())

    queue.work({ queues: ['quick', 'failing'] })
    const stuckWorker = queue.work({ queues: ['stuck'], concurrency: 1 })
    onTestFinished(() => stuckWorker.stop({ timeout: 1 }))
    await vi.waitFor(async () => expect(await valueIn(prometheus, 'offload_up')).toBe(1), patience)
    await Promise.all(Array.from({ length: 20 }, () => queue.enqueue(stuck, {})))
    await queue.enqueue(unserved, {})
    const load = setInterval(() => {
      void queue.enqueue(failing, {})
      void fetch(`http://127.0.0.1:${port}/quick`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
    }, 100)
    onTestFinished(() => clearInterval(load))

    await vi.waitFor(async () => {
      const { alerts } = (await prometheus.ask('alerts')) as { alerts: Alert[] }
      const firing = alerts.filter(({ state }) => state === 'firing')
      const of = (name: string) =>
        firing.filter(({ labels }) => labels.alertname === name).map(({ labels }) => labels.queue)
      expect(of('OffloadSilence').sort()).toEqual(['stuck', 'unserved'])
      expect(of('OffloadNoWorkers')).toEqual(['unserved'])
      expect(of('OffloadDeadLetters')).toEqual(['failing'])
      expect(of('OffloadBacklogOld').sort()).toEqual(['stuck', 'unserved'])
      expect(of('OffloadBackendAway')).toEqual([])
    }, patience)

    for (const query of queries) await prometheus.ask(`query?query=${encodeURIComponent(query)}`)
    for (const name of instrumentNames) {
      const asked = instruments[name].kind === 'histogram' ? `${name}_count` : name
      expect([name, await valueIn(prometheus, asked)]).toEqual([name, expect.any(Number)])
    }
    expect(await valueIn(prometheus, 'offload_attempts_total{task="quick",outcome="done"}')).toBeGreaterThan(
      5,
    )
    expect(
      await valueIn(prometheus, 'offload_http_request_seconds_count{route="/quick",status="202"}'),
    ).toBeGreaterThan(5)
    expect(await valueIn(prometheus, 'offload_queue_jobs{queue="stuck",state="ready"}')).toBeGreaterThan(0)
  }, 90_000)

  test.skipIf(redis === undefined)(
    'tells of a blocked loop and its lost leases, of a backend that is away, and that it is back',
    async () => {
      const server = await own('redis', () => startRedis())
      const desk = new Desk()
      const env = { OFFLOAD_URL: server.url }
      const workers = [1, 2].map(() => desk.start(['work', blocking, '--lease', '1s', '--health', '0'], env))
      const targets = await Promise.all(workers.map(healthOf))
      const prometheus = await Prometheus.start({
        targets: targets.map((url) => new URL(url).host),
        rules: hastened(rules),
      })
      if (prometheus === undefined) throw new Error('no Prometheus')
      onTestFinished(() => prometheus.stop())
      const firing = async (): Promise<unknown[]> => {
        const { alerts } = (await prometheus.ask('alerts')) as { alerts: Alert[] }
        return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)
      }

      const queue = offload({ url: server.url, tasks: [block], logger: silentLogger })
      onTestFinished(() => queue.close())
      // Each holds up one worker after the other for longer than its lease.
      const enqueue = (): void => void queue.enqueue(block, { ms: 3000 })
      enqueue()
      const load = setInterval(enqueue, 20_000)
      onTestFinished(() => clearInterval(load))
      await vi.waitFor(
        async () =>
          expect(await firing()).toEqual(expect.arrayContaining(['OffloadLoopBlocked', 'OffloadLeasesLost'])),
        patience,
      )
      clearInterval(load)

      await server.kill()
      await vi.waitFor(async () => expect(await firing()).toContain('OffloadBackendAway'), patience)
      await server.restart()
      await vi.waitFor(async () => expect(await firing()).not.toContain('OffloadBackendAway'), patience)
    },
    180_000,
  )
})

const patience = { timeout: 60_000, interval: 500 }

interface Alert {
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
}

async function valueIn(prometheus: Prometheus, query: string): Promise<number | undefined> {
  const { result } = await prometheus.ask(`query?query=${encodeURIComponent(query)}`)
  return result[0] === undefined ? undefined : Number(result[0].value[1])
}

/** The rules for a test that has seconds where a team has minutes. */
function hastened(text: string): string {
  return text
    .replaceAll(/for: \w+/g, 'for: 1s')
    .replaceAll('[15m]', '[10s]')
    .replaceAll('[5m]', '[5s]')
    .replaceAll('[2m]', '[5s]')
    .replace('age_seconds) > 300', 'age_seconds) > 3')
}
