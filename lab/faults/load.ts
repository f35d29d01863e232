import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { died, early, grown, herd, hoarded, measured } from '../checks.ts'
import { howMany, trueNow } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import type { Finding, Setting } from './fault.ts'
import { again, kept, spread, withMutant } from './fault.ts'

/** A long backlog, and one worker for it. */
export async function slowConsumer(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 15_000 : 2500
  const [concurrency, runMs, payloadBytes, growthMb] = [10, 5, 40_000, 100]
  /** The free slots, and 50 ms of work for each slot ahead; twice over. */
  const ahead = 2 * concurrency * (1 + 50 / runMs)
  await using scene = new Scene()
  const own = withMutant(setting)
  await scene.start({ ...own, role: 'produce', jobs, calls: 1000, pauseMs: 0, payloadBytes }).ended
  const work = { ...own, role: 'work', leaseMs: 5000, measured: true } as const
  scene.start({ ...work, concurrency, runMs }, ['--max-semi-space-size=2'])
  const result = await count(scene, setting.patienceMs ?? 120_000)
  const rss = measured(result.lines, 'rss')
  return {
    number: '24',
    fault: 'a slow consumer',
    injected: `a backlog of ${jobs} jobs of ${payloadBytes / 1000} kB, one worker with ${concurrency} slots and runs of ${runMs} ms`,
    count: result,
    found: {
      ...kept(result),
      hoarded: hoarded(result.lines, ahead),
      grown: grown(result.lines, growthMb),
    },
    seen: `at most ${Math.max(...measured(result.lines, 'buffered'))} jobs in its buffer (${ahead} allowed); memory ${rss.at(2)} MB at the beginning, at most ${Math.max(...rss)} MB, ${rss.at(-1)} MB at the end`,
  }
}

const BASE_MS = 400

/** The service that every job calls is down for a while: all fail, and try again. */
export async function outage(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const [jobs, downMs, max] = long ? ([2000, 15_000, '5s'] as const) : ([150, 400, '800ms'] as const)
  await using sink = await Sink.open()
  sink.down = true
  await using scene = new Scene()
  const retry = { attempts: 30, base: BASE_MS, max } as const
  const own = { ...withMutant(setting), retry, sinkPort: sink.port }
  scene.start({ ...own, role: 'work', leaseMs: 5000, concurrency: 50, runMs: 1 })
  await scene.start({ ...own, role: 'produce', jobs, calls: jobs, pauseMs: 0 }).ended
  await scene.sees((lines) => howMany(lines, 'T') >= jobs, setting.patienceMs)
  await wait(downMs)
  const healed = trueNow()
  sink.down = false
  const result = await count(scene, setting.patienceMs ?? 60_000)
  const { lines } = result
  return {
    number: '26',
    fault: 'downstream outage',
    injected: `a service that answers 500 to every job for ${downMs / 1000} s, then 200`,
    count: result,
    found: { ...kept(result), died: died(result.jobsById), herd: herd(lines, 1, BASE_MS) },
    seen: `${howMany(lines, 'T')} retries, the first ones spread over ${BASE_MS} ms with no tenth of it above a third of them; none dead; at most ${sink.mostIn100Ms} calls of the service in 100 ms; ${again(lines, healed, ['D'])}, all ${Math.round((lines.findLast(({ kind }) => kind === 'D')?.at ?? 0) - healed)} ms after the end of the outage`,
  }
}

/** A service that can be down, and that counts its calls. */
class Sink implements AsyncDisposable {
  down = false
  readonly #calls = new Map<number, number>()
  readonly #server = createServer((request, answer) => {
    const slot = Math.floor(performance.now() / 100)
    this.#calls.set(slot, (this.#calls.get(slot) ?? 0) + 1)
    request.resume()
    answer.writeHead(this.down ? 500 : 200).end()
  })

  static async open(): Promise<Sink> {
    const sink = new Sink()
    sink.#server.listen(0, '127.0.0.1')
    await once(sink.#server, 'listening')
    return sink
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get mostIn100Ms(): number {
    return Math.max(0, ...this.#calls.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Very many jobs fall due within one second. */
export async function timers(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const [jobs, leadMs] = long ? [100_000, 20_000] : [3000, 1000]
  const spreadMs = 1000
  await using scene = new Scene()
  const due = { at: Date.now() + leadMs, spreadMs }
  const own = withMutant(setting)
  const work = { ...own, role: 'work', leaseMs: 5000, concurrency: 100, runMs: 0, measured: true } as const
  for (const _ of [1, 2]) scene.start(work)
  await scene.start({ ...own, role: 'produce', jobs, calls: 1000, pauseMs: 0, due }).ended
  const result = await count(scene, setting.patienceMs ?? 120_000)
  const { lines, jobsById } = result
  const dueAt = (id: string): number => due.at + (Number(id.slice(2)) / jobs) * spreadMs
  const lateMs = lines.filter(({ kind }) => kind === 'S').map(({ id, at }) => at - dueAt(id))
  return {
    number: '27',
    fault: 'very many timers due at once',
    injected: `${jobs} jobs due within one second, two workers with leases of ${work.leaseMs} ms`,
    count: result,
    found: { ...kept(result), died: died(jobsById), early: early(lines, dueAt) },
    seen: `started ${spread(lateMs, 'ms')} after they were due; ${result.ranAgain} leases lost; the event loop was held for at most ${Math.max(...measured(lines, 'stall'))} ms`,
  }
}
