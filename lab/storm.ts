import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { ChildOptions, Kill } from './child.ts'
import type { Mutant } from './mutants.ts'
import { Post } from './post.ts'
import type { Count } from './scene.ts'
import { count, Scene } from './scene.ts'

export type SystemName = 'sqlite' | 'joined'

export const LEASE_MS = 1000
const PRODUCERS = 2
const WORKERS = 4
/** Between two faults. */
const PAUSE_MS = 300

export interface StormOptions {
  readonly system: SystemName
  /** It ends when so many processes were killed and so many jobs accepted. */
  readonly kills: number
  readonly jobs: number
  readonly random: () => number
  readonly mutant?: Mutant
  /** How long the rest may take before it is called stuck. */
  readonly patienceMs?: number
  readonly log: (line: string) => void
}

export interface Storm {
  readonly system: SystemName
  readonly seconds: number
  readonly faults: Readonly<Record<string, number>>
  readonly count: Count
}

/** Kills and pauses producers, workers and the message server at random while jobs flow, then lets all end and counts. */
export async function storm({
  system,
  kills,
  jobs,
  random,
  mutant,
  patienceMs = 120_000,
  log,
}: StormOptions): Promise<Storm> {
  await using scene = new Scene()
  const begun = performance.now()
  const faults: Record<string, number> = {}
  const note = (fault: string): void => {
    faults[fault] = (faults[fault] ?? 0) + 1
  }
  const broker = system === 'joined' ? await Broker.start(random) : undefined
  const place = {
    ...(broker === undefined ? {} : { brokerPort: broker.port }),
    ...(mutant === undefined ? {} : { mutant }),
  }
  const producers = Array.from(
    { length: PRODUCERS },
    (_, n) =>
      new Post(() => {
        const share = Math.ceil(jobs / PRODUCERS)
        const kill = random() < 0.3 ? killAt(['enqueue'], random, 200) : {}
        return scene.start({
          ...place,
          ...kill,
          role: 'produce',
          name: `p${n}`,
          jobs: share,
          calls: 20,
          pauseMs: 60,
        })
      }, true),
  )
  const workers = Array.from(
    { length: WORKERS },
    () =>
      new Post(() => {
        const kill = random() < 0.3 ? killAt(['claim', 'run', 'settle', 'renew'], random, 60) : {}
        const own = { concurrency: 1 + Math.floor(random() * 20), runMs: Math.floor(random() * 30) }
        return scene.start({ ...place, ...kill, ...own, role: 'work', leaseMs: LEASE_MS })
      }, false),
  )
  const lines = setInterval(() => log(`${system}: ${total(faults)} faults`), 20_000)
  while (total(faults, 'killed') + named() < kills || producers.some(({ isDone }) => !isDone)) {
    await wait(PAUSE_MS * (0.5 + random()))
    const which = random()
    const victim = pick(which < 0.2 ? producers : workers, random)
    if (broker !== undefined && which > 0.95) {
      note('killed message server')
      await broker.restart()
    } else if (which > 0.9) {
      note('paused longer than the lease')
      void victim.pause(LEASE_MS * (1.2 + random()))
    } else if (which > 0.85) {
      note('stopped cleanly')
      victim.stop()
    } else {
      const killed = victim.kill()
      if (killed === undefined) continue
      scene.outside.write('K', 'random', 0, killed)
      note(`killed ${which < 0.2 ? 'producer' : 'worker'}`)
    }
  }
  clearInterval(lines)
  faults['killed at a named point'] = named()
  for (const { resting } of [...producers, ...workers]) await resting
  for (const producer of producers) await producer.end()
  log(`${system}: the storm is over, the rest is run and counted`)
  const result = await count(scene, patienceMs)
  for (const worker of workers) worker.stop(true)
  await broker?.stop()
  return { system, seconds: (performance.now() - begun) / 1000, faults, count: result }

  function named(): number {
    return [...producers, ...workers].reduce((sum, { ownKills }) => sum + ownKills, 0)
  }
}

function total(faults: Readonly<Record<string, number>>, beginning = ''): number {
  return Object.entries(faults).reduce((sum, [name, n]) => sum + (name.startsWith(beginning) ? n : 0), 0)
}

function pick<T>(among: readonly T[], random: () => number): T {
  return among[Math.floor(random() * among.length)] as T
}

function killAt(at: readonly Kill['at'][], random: () => number, upTo: number): Pick<ChildOptions, 'kill'> {
  const when = random() < 0.5 ? 'before' : 'after'
  return { kill: { at: pick(at, random), when, nth: 1 + Math.floor(random() * upTo) } }
}

/** The message server's process, on one port however often it is killed. */
export class Broker implements AsyncDisposable {
  readonly port: number
  readonly #random: () => number
  readonly #manner: 'once' | 'twice'
  #child: ChildProcess | undefined

  private constructor(port: number, random: () => number, manner: 'once' | 'twice') {
    this.port = port
    this.#random = random
    this.#manner = manner
  }

  /** @param manner how often it delivers each message */
  static async start(random: () => number, manner: 'once' | 'twice' = 'once'): Promise<Broker> {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as { port: number }
    probe.close()
    await once(probe, 'close')
    const broker = new Broker(port, random, manner)
    await broker.#open()
    return broker
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async restart(): Promise<void> {
    await this.stop()
    await wait(500 * this.#random())
    await this.#open()
  }

  async stop(): Promise<void> {
    const gone = this.#child === undefined ? undefined : once(this.#child, 'exit')
    this.#child?.kill('SIGKILL')
    await gone
  }

  async #open(): Promise<void> {
    const seed = String(Math.floor(this.#random() * 1e6))
    const program = join(import.meta.dirname, 'broker-server.ts')
    this.#child = spawn(process.execPath, [program, String(this.port), seed, this.#manner], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    await once(this.#child, 'message')
  }
}
