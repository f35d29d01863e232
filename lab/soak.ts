import { statSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Depth } from '../src/broker.ts'
import { offload } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import type { Usage } from './crew.ts'
import { Crew } from './crew.ts'
import { Scene } from './scene.ts'
import { nextFault } from './soak-faults.ts'
import type { Reckoning } from './tally.ts'
import { noted, reckon } from './tally.ts'

export interface SoakOptions {
  /** Jobs a second that the producers call for together. */
  readonly rate: number
  readonly ms: number
  readonly random: () => number
  readonly leaseMs: number
  /** Ended jobs and events are kept for so long. */
  readonly retentionMs: number
  readonly sampleMs: number
  /** Between two faults, on average. */
  readonly faultMs: number
  readonly log: (line: string) => void
}

export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number
  /** Of those that live as long as the soak; undefined while it is paused. */
  readonly producer: Usage | undefined
  readonly worker: Usage | undefined
  readonly fileBytes: number
  readonly walBytes: number
  /** From the call to the start of the handler, in ms, of the starts since the sample before. */
  readonly startP50: number | undefined
  readonly startP99: number | undefined
  /** From the call to its answer, in ms. */
  readonly acceptP50: number | undefined
  readonly acceptP99: number | undefined
  /** Undefined when the file did not answer in time. */
  readonly waiting: number | undefined
  readonly acceptedPerSecond: number
  readonly donePerSecond: number
}

export interface FaultDone {
  readonly at: number
  readonly name: string
}

export interface Soak {
  readonly seconds: number
  readonly samples: readonly Sample[]
  readonly faults: readonly FaultDone[]
  readonly reckoning: Reckoning
  /** Still waiting or running after the producers had stopped and the rest had its time. */
  readonly stuck: boolean
  readonly dead: number
  /** Processes that ended though nobody ended them. */
  readonly crashed: number
  /** How often which warning, error or refused call was told of. */
  readonly logged: ReadonlyMap<string, number>
}

const PATIENCE_MS = 120_000

/** Jobs at a steady rate while processes are killed, paused and stopped at random; then the rest is run and all is counted. */
export async function soak(options: SoakOptions): Promise<Soak> {
  const { random, leaseMs, faultMs, sampleMs, log } = options
  await using scene = new Scene()
  await using crew = new Crew(scene, options)
  const samples: Sample[] = []
  const faults: FaultDone[] = []
  const begun = performance.now()
  const since = (): number => (performance.now() - begun) / 1000
  const isOver = (): boolean => performance.now() - begun >= options.ms

  async function doFaults(): Promise<void> {
    for (;;) {
      const pauseMs = faultMs * (0.5 + random())
      if (since() * 1000 + pauseMs > options.ms) return
      await wait(pauseMs)
      const name = nextFault(crew, random, leaseMs)
      if (name !== undefined) faults.push({ at: since(), name })
    }
  }

  async function takeSamples(): Promise<void> {
    let before = { at: 0, accepted: 0, done: 0 }
    for (let n = 1; !isOver(); n++) {
      await wait(Math.max(0, begun + n * sampleMs - performance.now()))
      const [told, depth] = await Promise.all([crew.ask(), depthOf(scene.file).catch(() => undefined)])
      const now = {
        at: since(),
        accepted: noted(scene.folder, 'accepted'),
        done: noted(scene.folder, 'done'),
      }
      const passed = now.at - before.at
      samples.push({
        at: now.at,
        producer: told.producer,
        worker: told.worker,
        fileBytes: bytesOf(scene.file),
        walBytes: bytesOf(`${scene.file}-wal`),
        startP50: told.start.percentile(0.5),
        startP99: told.start.percentile(0.99),
        acceptP50: told.accept.percentile(0.5),
        acceptP99: told.accept.percentile(0.99),
        waiting: depth?.ready ?? undefined,
        acceptedPerSecond: (now.accepted - before.accepted) / passed,
        donePerSecond: (now.done - before.done) / passed,
      })
      before = now
      if (n % 12 === 0) log(`${Math.round(now.at)} s: ${now.done} jobs done, ${faults.length} faults`)
    }
  }

  await Promise.all([doFaults(), takeSamples()])
  const seconds = since()
  log('the faults are over, the rest is run and counted')
  await crew.stop(crew.producers)
  const stuck = !(await scene.drained(PATIENCE_MS))
  await crew.stop(crew.workers)
  const { dead } = await depthOf(scene.file)
  return {
    seconds,
    samples,
    faults,
    reckoning: reckon(scene.folder, crew.killed),
    stuck,
    dead: dead ?? 0,
    crashed: crew.crashed,
    logged: crew.logged,
  }
}

/** Opened anew each time: a process that only looks would be told of every write, and cost the others that. */
async function depthOf(file: string): Promise<Depth> {
  await using queue = offload({ url: `sqlite:${file}`, tasks: [], logger: silentLogger })
  return await queue.depth()
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Jobs a second that producers and workers keep up with on a file of their own, while it forgets as many as it takes. */
export async function sustainableRate(leaseMs: number, warmUpMs: number, ms: number): Promise<number> {
  await using scene = new Scene()
  await using crew = new Crew(scene, { leaseMs, retentionMs: warmUpMs / 2 })
  await wait(warmUpMs)
  const [before, begun] = [noted(scene.folder, 'done'), performance.now()]
  await wait(ms)
  const rate = (noted(scene.folder, 'done') - before) / ((performance.now() - begun) / 1000)
  await crew.stop([...crew.producers, ...crew.workers])
  return rate
}
