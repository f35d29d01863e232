import type { Backend } from './backend.ts'
import type { Documents } from './documents.ts'
import { CapabilityError, OffloadError } from './job/errors.ts'
import type { Ledger } from './ledger.ts'

/** A backend that is opened at its first use, once, and tried anew after a failure. */
export class LazyBackend {
  readonly #openNew: () => Promise<Backend>
  #opening: Promise<Backend> | undefined
  #name: string | undefined
  #isSealed = false

  constructor(open: () => Promise<Backend>) {
    this.#openNew = open
  }

  /** What moves the jobs, such as `redis`; undefined before it was opened. */
  get name(): string | undefined {
    return this.#name
  }

  /** @throws CLOSED, or why it cannot be opened */
  open(): Promise<Backend> {
    if (this.#opening !== undefined) return this.#opening
    if (this.#isSealed) return Promise.reject(closed())
    const opening = this.#openNew()
    this.#opening = opening
    opening.then(
      ({ broker }) => {
        this.#name = broker.name
      },
      () => {
        if (this.#opening === opening) this.#opening = undefined
      },
    )
    return opening
  }

  /** @throws CAPABILITY_MISSING */
  async ledger(): Promise<Ledger> {
    const { ledger, broker } = await this.open()
    if (ledger !== undefined) return ledger
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${broker.name} with ledger: 'none' remembers no jobs: name a ledger to read or steer them`,
    )
  }

  /** @param what is to be remembered @throws CAPABILITY_MISSING */
  async documents(what: string): Promise<Documents> {
    const { documents, broker } = await this.open()
    if (documents !== undefined) return documents
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${broker.name} with ledger: 'none' remembers no ${what}: name a ledger to see them`,
    )
  }

  /** From now on it is not opened any more; who uses it goes on. */
  seal(): void {
    this.#isSealed = true
  }

  async close(): Promise<void> {
    const backend = await this.#opening?.catch(() => undefined)
    await backend?.close()
  }
}

export function closed(): OffloadError {
  return new OffloadError('CLOSED', 'this queue was closed')
}
