import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { offload } from '../src/index.ts'
import type { JobRecord } from '../src/job/job.ts'
import { silentLogger } from '../src/log.ts'
import type { ChildOptions } from './child.ts'
import { forgetNothing } from './keep.ts'
import type { Line } from './outside.ts'
import { Outside, overlaps, percentile, recoveries, repeated, staleEnds } from './outside.ts'
import { jobsOf, openLedger } from './store.ts'

const CHILD = join(import.meta.dirname, 'child.ts')

/** A store, a ledger outside of it, and the processes that work on it. */
export class Scene implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'offload-crash-'))
  readonly file: string
  readonly outside: Outside = new Outside(join(this.folder, 'outside.log'))
  readonly #children: ChildProcess[] = []
  #closed = false

  /** @param place the folder of the store, when it is to lie elsewhere than the ledger outside of it */
  constructor(place?: string) {
    this.file = join(place ?? this.folder, 'queue.db')
  }

  /**
   * Starts a child; `ended` resolves with its exit code or the signal that killed it.
   * @param under the start of a command that runs another
   */
  start(
    options: Omit<ChildOptions, 'file' | 'outside'>,
    nodeOptions: readonly string[] = [],
    under: readonly string[] = [],
  ): {
    child: ChildProcess
    ended: Promise<number | string>
  } {
    const all: ChildOptions = { ...options, file: this.file, outside: this.outside.path }
    return this.run(CHILD, all, nodeOptions, under)
  }

  /** Starts a program of the lab, `under` another that sets its limits. */
  run(
    program: string,
    options: object,
    nodeOptions: readonly string[] = [],
    under: readonly string[] = [],
  ): ReturnType<Scene['start']> {
    const [first = '', ...rest] = [
      ...under,
      process.execPath,
      ...nodeOptions,
      program,
      JSON.stringify(options),
    ]
    const child = spawn(first, rest, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'offload-lab-cache') },
    })
    this.#children.push(child)
    const ended = new Promise<number | string>((resolve) =>
      child.once('exit', (code, signal) => resolve(signal ?? code ?? -1)),
    )
    return { child, ended }
  }

  /** Waits until nothing is ready, running or scheduled; false when that takes too long. */
  async drained(timeoutMs = 20_000): Promise<boolean> {
    const url = `sqlite:${this.file}`
    await using queue = offload({ url, tasks: [], logger: silentLogger, retention: forgetNothing })
    for (const until = Date.now() + timeoutMs; Date.now() < until; await wait(20)) {
      const { ready, running, scheduled } = await queue.depth()
      if (ready === 0 && running === 0 && scheduled === 0) return true
    }
    return false
  }

  /** Waits until the ledger outside shows something; false when that takes too long. */
  async sees(what: (lines: readonly Line[]) => boolean, timeoutMs = 20_000): Promise<boolean> {
    for (const until = Date.now() + timeoutMs; Date.now() < until; await wait(20))
      if (what(this.outside.read())) return true
    return false
  }

  /** Every job that the store remembers. */
  jobs(): Promise<Map<string, JobRecord>> {
    return jobsOf(this.file)
  }

  /** The ids of the events that tell of an end, until there are so many. */
  async ends(atLeast: number): Promise<string[]> {
    if (atLeast === 0) return []
    const { ledger, close } = await openLedger(this.file)
    const stop = new AbortController()
    const ends: string[] = []
    const idle = setTimeout(() => stop.abort(), 5000)
    for await (const batch of ledger.watch(0, stop.signal)) {
      for (const { type, jobId } of batch) if (type === 'done' || type === 'dead') ends.push(jobId)
      if (ends.length >= atLeast) break
    }
    clearTimeout(idle)
    await close()
    return ends
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ends every child and removes every file. */
  async close(): Promise<void> {
    this.#closed = true
    const alive = this.#children.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    )
    const gone = alive.map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of alive) child.kill('SIGKILL')
    await Promise.all(gone)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface Count {
  readonly kills: number
  readonly jobs: number
  /** Acknowledged, and not at its end. */
  readonly lost: string[]
  /** By the store's events, or by what the workers were told. */
  readonly finishedTwice: string[]
  /** Taken from a worker that no longer held the job. */
  readonly staleEnds: string[]
  readonly stuck: boolean
  readonly ranAgain: number
  /** Started while another process ran it: only one that was paused or blocked can. */
  readonly overlaps: number
  readonly recoveryMs: number[]
  readonly errors: string[]
  readonly lines: Line[]
  readonly jobsById: Map<string, JobRecord>
}

/** Waits for the end of all work, and counts every promise. */
export async function count(scene: Scene, timeoutMs?: number): Promise<Count> {
  const stuck = !(await scene.drained(timeoutMs))
  const jobs = await scene.jobs()
  const lines = scene.outside.read()
  const of = (kind: Line['kind']): string[] => lines.filter((line) => line.kind === kind).map(({ id }) => id)
  const accepted = [...new Set(of('P'))]
  const finished = await scene.ends(jobs.size)
  return {
    kills: of('K').length,
    jobs: accepted.length,
    lost: accepted.filter((id) => !['done', 'dead'].includes(jobs.get(id)?.state ?? 'unknown')),
    finishedTwice: [...new Set([...repeated(finished), ...repeated(of('D'))])],
    staleEnds: staleEnds(lines),
    stuck,
    ranAgain: repeated(of('S')).length,
    overlaps: overlaps(lines),
    recoveryMs: recoveries(lines),
    errors: of('X'),
    lines,
    jobsById: jobs,
  }
}

export function summary(name: string, result: Count, leaseMs: number): string {
  const { kills, jobs, lost, finishedTwice, stuck, ranAgain, recoveryMs, errors } = result
  const recovery =
    recoveryMs.length === 0
      ? 'none to recover'
      : `recovery p50 ${percentile(recoveryMs, 0.5)} max ${recoveryMs.at(-1)} ms of a lease of ${leaseMs} ms (${recoveryMs.length} jobs)`
  return `crash ${name}: kills ${kills}, jobs ${jobs}, lost ${lost.length}, finished twice ${finishedTwice.length}, stuck ${stuck ? 'yes' : 0}, run more than once ${ranAgain}, ${recovery}, warnings and errors logged ${[errors.length, ...new Set(errors)].join(' | ')}`
}
