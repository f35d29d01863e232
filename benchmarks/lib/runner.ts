import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const REPEATS: number = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
export const SCALE: number = Number(process.env.OFFLOAD_BENCH_SCALE ?? 1)

export interface Figure {
  readonly rate?: number
  readonly p50?: number
  readonly p99?: number
  readonly bytes?: number
  readonly cpu?: number
  /** What a job took of the server's own time, in microseconds. */
  readonly server?: number
  /** What it took of the process that accepts or runs it, in microseconds. */
  readonly own?: number
}

/** What each scenario measures. */
export const scenarios = {
  a: { what: 'accept, one call after the other', unit: 'rate' },
  b: { what: 'accept, 100 calls in flight', unit: 'rate' },
  c: { what: 'accept in bulk, 1,000 a call', unit: 'rate' },
  d1: { what: 'run a backlog, one at a time', unit: 'rate' },
  d10: { what: 'run a backlog, 10 at once', unit: 'rate' },
  d100: { what: 'run a backlog, 100 at once', unit: 'rate' },
  d2p: { what: 'run a backlog in two processes, 100 at once each', unit: 'rate' },
  e: { what: 'from the call to the start, 50 jobs a second, one process', unit: 'p50' },
  e2: { what: 'the same, the worker in a process of its own', unit: 'p50' },
  w: { what: 'from the acceptance to the start in another process', unit: 'p50' },
  i: { what: 'a worker that waits, ten at once', unit: 'cpu' },
  f: { what: 'accept and run in one process, 100 in flight', unit: 'rate' },
  f2: { what: 'the same, the worker in a process of its own', unit: 'rate' },
  g: { what: 'bytes a waiting job', unit: 'bytes' },
} as const satisfies Record<string, { what: string; unit: keyof Figure }>

export type Scenario = keyof typeof scenarios

/** One column of the systems that are measured beside each other. */
export interface Row {
  /** How it keeps jobs, or what it is. */
  readonly what: string
  /** The file that opens it, seen from `benchmarks`. */
  readonly module: string
  /** Of Offload's store; `{path}`, `{port}` and `{name}` are filled in. */
  readonly url?: string
  readonly checked?: true
  /** On this Node instead of ours. */
  readonly node?: string
  /** Of its server. */
  readonly port?: number
  readonly pid?: number
  /** Of Offload (`{path}`, `{port}` and `{name}` of its ledger are filled in), or of a peer. */
  readonly settings?: object
  readonly only?: readonly Scenario[]
}

export interface Plan {
  readonly systems: Readonly<Record<string, Row>>
  /** The scenarios that are run, each of so many jobs. */
  readonly jobs: Partial<Record<Scenario, number>>
  /** What jobs take of a server, and of the process, are columns of the table. */
  readonly hasServer?: boolean
  /** Makes the servers as they were. */
  readonly clear: () => Promise<void>
}

/** What was measured, by scenario and system, one a repetition. */
export type Figures = Record<string, Figure[]>

export const keyOf = (scenario: string, system: string): string => `${scenario} ${system}`

export const jobsOf = (jobs: number): number => Math.ceil(jobs * SCALE)

/** A misspelt name would measure everything, for many minutes. */
export function refuseUnknown(asked: readonly string[], ...known: readonly object[]): void {
  const names = known.flatMap(Object.keys)
  const unknown = asked.filter((one) => !names.includes(one))
  if (unknown.length > 0)
    throw new Error(`there is no ${unknown.join(', ')} here; there are ${names.join(', ')}`)
}

/** What `asked` names of `all`; all where it names none. */
export function chosen<Value>(
  all: Readonly<Record<string, Value>>,
  asked: readonly string[],
): Record<string, Value> {
  const named = Object.entries(all).filter(([name]) => asked.includes(name))
  return Object.fromEntries(named.length > 0 ? named : Object.entries(all))
}

/** Measures every system in every scenario, in alternation, the order turned round every second time. */
export async function runAll({ systems, jobs, clear }: Plan): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'offload-bench-'))
  const figures: Figures = {}
  try {
    for (const scenario of Object.keys(jobs) as Scenario[]) {
      const rows = Object.entries(systems).filter(([, { only }]) => only?.includes(scenario) ?? true)
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        for (const [name, row] of repeat % 2 === 0 ? rows : rows.toReversed()) {
          await clear()
          const own = mkdtempSync(join(folder, 'run-'))
          const figure = await measure(name, row, scenario, jobsOf(jobs[scenario] ?? 0), own)
          rmSync(own, { recursive: true, force: true })
          const key = keyOf(scenario, name)
          figures[key] = [...(figures[key] ?? []), figure]
          console.log(`${scenario.padEnd(5)} ${name.padEnd(18)} ${JSON.stringify(figure)}`)
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return figures
}

/** One measurement is one process, on files and a queue of its own. */
function measure(name: string, row: Row, scenario: string, jobs: number, folder: string): Promise<Figure> {
  const { node } = row
  return answerOf<Figure>(
    join(import.meta.dirname, 'measure.mjs'),
    { ...row, scenario, jobs, folder },
    `${name} ${scenario}`,
    node === undefined ? {} : { node },
  )
}

/** What a process of a benchmark sends first; then it is ended. Another Node than ours has no types and no Offload. */
export async function answerOf<Answer>(
  file: string,
  given: object,
  what: string,
  { node, longestMs = 240_000 }: { node?: string; longestMs?: number } = {},
): Promise<Answer> {
  const child = fork(
    file,
    [JSON.stringify(given)],
    node === undefined ? { execArgv: ['--conditions=offload-source'] } : { execPath: node, execArgv: [] },
  )
  let tooLong: NodeJS.Timeout | undefined
  try {
    return await new Promise<Answer>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Answer))
      child.once('exit', (code) => reject(new Error(`${what} ended with ${code}`)))
      tooLong = setTimeout(
        () => reject(new Error(`${what} took longer than ${longestMs / 60_000} minutes`)),
        longestMs,
      )
    })
  } finally {
    clearTimeout(tooLong)
    child.kill('SIGKILL')
  }
}

/** A process of a benchmark that answers whenever it is asked, and does nothing in between. */
export class Partner {
  readonly #child: ChildProcess
  readonly #gone: Promise<never>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#gone = once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`)))
    this.#gone.catch(() => {})
  }

  /** Resolves when it has sent its first message. */
  static async start(file: string, given: object): Promise<Partner> {
    const partner = new Partner(
      fork(file, [JSON.stringify(given)], { execArgv: ['--conditions=offload-source'] }),
    )
    await partner.#answer()
    return partner
  }

  async ask<Answer>(): Promise<Answer> {
    this.#child.send('ask')
    return (await this.#answer()) as Answer
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }

  async #answer(): Promise<unknown> {
    const [message] = await Promise.race([once(this.#child, 'message'), this.#gone])
    return message
  }
}
