import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import type { Offload } from '../../src/index.ts'
import { offload, task } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import { forgetNothing } from '../keep.ts'

const CALLS = 50
/** After each answer: so that all that is accepted can be asked for afterwards. */
const PAUSE_MS = 20
const LOOKS = 100

const job = task('durability.job', { input: z.string(), run: () => {} })
const payload = 'x'.repeat(150)

/** A producer under load, and the list of what it was told is accepted, which is kept outside the server. */
export class Accepting implements AsyncDisposable {
  /** When each job was accepted, by id. */
  readonly accepted = new Map<string, number>()
  readonly #queue: Offload
  readonly #lanes: Promise<void>[]
  #isOver = false

  constructor(url: string, name: string) {
    this.#queue = open(url)
    let next = 0
    this.#lanes = Array.from({ length: CALLS }, async () => {
      while (!this.#isOver) {
        const id = `${name}-${next++}`
        await this.#queue.enqueue(job, payload, { id }).then(
          () => void this.accepted.set(id, performance.now()),
          () => {},
        )
        await wait(PAUSE_MS)
      }
    })
  }

  /** No more is enqueued; what was, is accepted or refused. */
  async rest(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#lanes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#queue.close()
    await Promise.all(this.#lanes)
  }
}

/** Those of these jobs that the store does not know. */
export async function unknown(url: string, ids: Iterable<string>): Promise<string[]> {
  await using queue = open(url)
  const [rest, missing]: [string[], string[]] = [[...ids], []]
  while (rest.length > 0)
    await Promise.all(
      rest.splice(-LOOKS).map(async (id) => {
        if ((await queue.get(id)) === undefined) missing.push(id)
      }),
    )
  return missing
}

function open(url: string): Offload {
  const limits = { timeout: '5s' } as const
  return offload({ url, tasks: [job], logger: silentLogger, limits, retention: forgetNothing })
}
