import type { Backend } from '../backend.ts'
import type { Documents } from '../documents.ts'

/** So many of those that lapsed are forgotten at a time. */
const SWEPT = 100

export interface StandingParts {
  readonly open: () => Promise<Backend>
  readonly kind: string
  readonly name: string
}

/** A document that lapses unless it is written again: whoever writes one of its kind forgets those of who was killed. */
export class Standing {
  readonly #parts: StandingParts
  #version = 0

  constructor(parts: StandingParts) {
    this.#parts = parts
  }

  /** @param dueAt when it lapses */
  async write(value: string, dueAt: number): Promise<void> {
    const documents = await this.#documents()
    if (documents === undefined || (await this.#change(documents, this.#version, value, dueAt))) return
    // Others took this one for gone, or the answer to the last write was lost.
    await this.#change(documents, await this.#versionIn(documents), value, dueAt)
  }

  async remove(): Promise<void> {
    const documents = await this.#documents()
    if (documents !== undefined && this.#version > 0) await this.#change(documents, this.#version, undefined)
  }

  /** Forgets what has lapsed. */
  async sweep(now: number): Promise<void> {
    const { kind } = this.#parts
    const documents = await this.#documents()
    const gone = await documents?.due({ kind, at: now, limit: SWEPT })
    if (gone === undefined || gone.documents.length === 0) return
    await documents?.write(
      gone.documents.map(({ name, version: expected }) => ({ kind, name, expected, value: undefined })),
    )
  }

  async #documents(): Promise<Documents | undefined> {
    return (await this.#parts.open()).documents
  }

  async #change(
    documents: Documents,
    expected: number,
    value: string | undefined,
    dueAt?: number,
  ): Promise<boolean> {
    const { kind, name } = this.#parts
    const change = { kind, name, expected, value }
    const [isMade] = await documents.write([dueAt === undefined ? change : { ...change, dueAt }])
    if (isMade === true) this.#version = expected + 1
    return isMade === true
  }

  async #versionIn(documents: Documents): Promise<number> {
    const { kind, name } = this.#parts
    const [found] = await documents.list({ kind, names: [name] })
    return found?.version ?? 0
  }
}
