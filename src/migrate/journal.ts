import { randomUUID } from 'node:crypto'
import type { Document, Documents } from '../documents.ts'
import { OffloadError } from '../job/errors.ts'

const KIND = 'migration'
const NAME = 'move'

/** A queue of the old store: whether it was paused before the move, and whether the new store was told. */
export interface KnownQueue {
  readonly queue: string
  readonly paused: boolean
  readonly carried: boolean
}

interface Entry {
  /** Of this store alone: who finds it at the other end looks at the same store. */
  readonly token: string
  readonly to: string
  /** Something may be in both stores, or in neither: `begun` from before the first job is recorded. */
  readonly state: 'opened' | 'begun' | 'done'
  readonly queues: readonly KnownQueue[]
  /** The document on its way. */
  readonly document?: Document
}

/** What a move must know after a kill, as a document of the old store. Who writes it last is the one who moves. */
export class Journal {
  readonly #documents: Documents
  #version: number
  #entry: Entry

  private constructor(documents: Documents, version: number, entry: Entry) {
    this.#documents = documents
    this.#version = version
    this.#entry = entry
  }

  /** @throws MOVE_REFUSED where a move to another place is not finished, unless `anew`, or where both ends are one store */
  static async open(from: Documents, at: Documents, to: string, anew: boolean): Promise<Journal> {
    const found = await read(from)
    const before = found && (JSON.parse(found.value) as Entry)
    if (before !== undefined && before.state === 'begun' && before.to !== to && !anew)
      throw new OffloadError(
        'MOVE_REFUSED',
        `a move to ${before.to} was begun and not finished: finish it, or give --anew when that place is gone`,
      )
    const isSame = before?.to === to
    const entry: Entry = {
      token: randomUUID(),
      to,
      state: isSame && before.state === 'begun' ? 'begun' : 'opened',
      queues: (before?.queues ?? []).map((one) => ({ ...one, carried: isSame && one.carried })),
      ...(isSame && before.document !== undefined ? { document: before.document } : {}),
    }
    const journal = new Journal(from, found?.version ?? 0, entry)
    await journal.#write(entry)
    const there = await read(at)
    if (there === undefined || (JSON.parse(there.value) as Entry).token !== entry.token) return journal
    if (before === undefined) await journal.remove()
    else await journal.#write(before)
    throw new OffloadError('MOVE_REFUSED', 'both urls name one store: there is nothing to move')
  }

  get hasBegun(): boolean {
    return this.#entry.state === 'begun'
  }

  get queues(): readonly KnownQueue[] {
    return this.#entry.queues
  }

  get document(): Document | undefined {
    return this.#entry.document
  }

  async begin(): Promise<void> {
    if (!this.hasBegun) await this.#write({ ...this.#entry, state: 'begun' })
  }

  async finish(): Promise<void> {
    await this.#write({ ...this.#entry, state: 'done' })
  }

  async note(queues: readonly KnownQueue[]): Promise<void> {
    const names = new Set(queues.map(({ queue }) => queue))
    const others = this.#entry.queues.filter(({ queue }) => !names.has(queue))
    await this.#write({ ...this.#entry, queues: [...others, ...queues] })
  }

  /** Remembers a document that is on its way; undefined when it has come there. */
  async carry(document: Document | undefined): Promise<void> {
    const { document: _, ...entry } = this.#entry
    await this.#write({ ...entry, ...(document === undefined ? {} : { document }) })
  }

  async remove(): Promise<void> {
    await this.#documents.write([{ kind: KIND, name: NAME, expected: this.#version, value: undefined }])
  }

  async #write(entry: Entry): Promise<void> {
    const [made] = await this.#documents.write([
      { kind: KIND, name: NAME, expected: this.#version, value: JSON.stringify(entry) },
    ])
    if (made !== true)
      throw new OffloadError('MOVE_REFUSED', 'another process began to move this store: let it finish')
    this.#version++
    this.#entry = entry
  }
}

async function read(documents: Documents): Promise<Document | undefined> {
  return (await documents.list({ kind: KIND, names: [NAME] }))[0]
}
