import type { Job } from '../../job/job.ts'
import type { Connection } from './connection.ts'
import { scripts } from './scripts/index.ts'

/** What jobs have alike: the store writes it once, and each of them its number. */
export interface Kind {
  readonly task: string
  readonly queue: string
  readonly priority: number
  readonly maxAttempts: number
}

/** The kinds that this process has met, with their numbers in the store. */
export class Kinds {
  readonly #byNumber = new Map<string, Kind>()
  readonly #numbers = new Map<string, string>()

  /** @param pairs number and text in turn, as scripts answer them beside bodies */
  learn(pairs: readonly string[]): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const [number = '', text = ''] = [pairs[at], pairs[at + 1]]
      if (this.#numbers.get(text) === number) continue
      const [task = '', queue = '', priority, maxAttempts] = text.split('|')
      this.#byNumber.set(number, {
        task,
        queue,
        priority: Number(priority),
        maxAttempts: Number(maxAttempts),
      })
      this.#numbers.set(text, number)
    }
  }

  /** @throws where no answer of the store has named it: the body is none of ours */
  of(number: string): Kind {
    const kind = this.#byNumber.get(number)
    if (kind === undefined) throw new Error(`there is no kind ${number} of jobs`)
    return kind
  }

  numberOf(text: string): string | undefined {
    return this.#numbers.get(text)
  }

  /** The store was emptied: its numbers mean nothing any more. */
  forget(): void {
    this.#byNumber.clear()
    this.#numbers.clear()
  }
}

export function kindOf({ task, queue, priority, maxAttempts }: Kind): string {
  return `${task}|${queue}|${priority}|${maxAttempts}`
}

/** Makes a call that brings jobs in when the store has numbers for their kinds; once more where it was emptied since. */
export async function bringing<Answer>(
  at: Connection,
  jobs: readonly Job[],
  call: () => Promise<Answer>,
  answerOf: (answer: Answer) => unknown = (answer) => answer,
): Promise<Answer> {
  for (;;) {
    const unknown = unknownOf(at.kinds, jobs)
    if (unknown.size > 0) await ask(at, [...unknown])
    const answer = await call()
    const found = answerOf(answer)
    if (!Array.isArray(found) || found[0] !== 'kinds') return answer
    at.kinds.forget()
  }
}

function unknownOf(kinds: Kinds, jobs: readonly Job[]): Set<string> {
  const unknown = new Set<string>()
  let before: Job | undefined
  for (const job of jobs) {
    if (before === undefined || !isOfKind(before, job)) {
      const text = kindOf(job)
      if (kinds.numberOf(text) === undefined) unknown.add(text)
    }
    before = job
  }
  return unknown
}

export function isOfKind(a: Kind, b: Kind): boolean {
  return (
    a.task === b.task && a.queue === b.queue && a.priority === b.priority && a.maxAttempts === b.maxAttempts
  )
}

async function ask(at: Connection, texts: readonly string[]): Promise<void> {
  const numbers = (await at.run(scripts.kinds, { args: { texts } })) as string[]
  at.kinds.learn(numbers.flatMap((number, nth) => [number, texts[nth] ?? '']))
}
