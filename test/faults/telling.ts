import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { machine, percentile, table } from '../../benchmarks/lib/figures.ts'

/** What was seen from outside, beside what the store says of itself. */
export interface Tally {
  readonly accepted: number
  readonly lost: number
  /** Undefined where nothing remembers ends. */
  readonly finishedTwice: number | undefined
  readonly stuck: number
  /** Jobs whose handler ran more often than it asked for itself, which a fault may cause. */
  readonly ranAgain: number
  readonly refusals: number
}

/** A run: what was done to the server, what came of it, and after how many milliseconds jobs flowed again, each time. */
interface Told {
  readonly what: string
  readonly tally: Tally
  readonly backMs: readonly number[]
}

export interface Report {
  /** Of the file in benchmarks/results. */
  readonly file: string
  readonly title: string
  readonly command: string
  /** What was done, and how it was counted. */
  readonly how: string
  /** What "ms until jobs flow" means. */
  readonly flowing: string
}

const RESULTS = join(import.meta.dirname, '../../benchmarks/results')
const HEAD = [
  'fault, under load',
  'accepted',
  'lost',
  'finished twice',
  'stuck',
  'ran again',
  'calls refused',
  'ms until jobs flow',
]

/** What the faults of one server did, told line by line and written down together. */
export class Telling {
  readonly #server: string
  readonly #all: Told[] = []

  constructor(server: string) {
    this.#server = server
  }

  /** Prints what a run found, and expects that nothing accepted was lost, ended twice or did not end. */
  survived(what: string, tally: Tally, backMs: readonly number[] = []): void {
    this.told(what, tally, backMs)
    expect({ what, ...tally }).toMatchObject({ what, lost: 0, stuck: 0 })
    expect(tally.finishedTwice ?? 0).toBe(0)
    expect(tally.accepted).toBeGreaterThan(0)
  }

  told(what: string, tally: Tally, backMs: readonly number[] = []): void {
    this.#all.push({ what, tally, backMs })
    const { accepted, lost, finishedTwice, stuck, ranAgain, refusals } = tally
    const twice = finishedTwice === undefined ? '' : `, finished twice ${finishedTwice}`
    const back = backMs.length === 0 ? '' : `; ms until jobs flowed again: ${spread(backMs)}`
    console.log(
      `${this.#server}, ${what}: accepted ${accepted}, lost ${lost}${twice}, stuck ${stuck}; ran again ${ranAgain}, calls refused ${refusals}${back}`,
    )
  }

  /** Writes all that was told to a file of benchmarks/results. */
  write({ file, title, command, how, flowing }: Report): void {
    const back = this.#all.flatMap(({ backMs }) => backMs)
    const rows = this.#all.map(({ what, tally, backMs }) => {
      const { accepted, lost, finishedTwice = '', stuck, ranAgain, refusals } = tally
      const figures = [accepted, lost, finishedTwice, stuck, ranAgain, refusals].map(String)
      return [what, ...figures, spread(backMs)]
    })
    writeFileSync(
      join(RESULTS, file),
      `# ${title}

${machine()} Made by \`${command}\`. ${how}

${table(HEAD, rows)}

"Ms until jobs flow" is p50 / p99 / most, ${flowing} Over all ${back.length} returns: p50 ${percentile(back, 0.5)}, p99 ${percentile(back, 0.99)}, most ${Math.max(...back)} ms.
`,
    )
  }
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return ''
  if (values.length === 1) return String(values[0])
  return `${percentile(values, 0.5)} / ${percentile(values, 0.99)} / ${Math.max(...values)} of ${values.length}`
}
