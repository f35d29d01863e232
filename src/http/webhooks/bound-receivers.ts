import type { Documents } from '../../documents.ts'
import { documentReceivers } from './document-receivers.ts'
import type { Receivers } from './receivers.ts'
import { memoryReceivers } from './receivers.ts'

type Open = () => Promise<Documents | undefined>

/** Known to every process on the queue that the task is given to; to this process alone as long as there is none. */
export class BoundReceivers implements Receivers {
  readonly #own = memoryReceivers()
  #open: Open = async () => undefined

  bind(open: Open): void {
    this.#open = open
  }

  async state(...name: Parameters<Receivers['state']>): ReturnType<Receivers['state']> {
    return (await this.#kept()).state(...name)
  }

  async disable(...receiver: Parameters<Receivers['disable']>): ReturnType<Receivers['disable']> {
    return (await this.#kept()).disable(...receiver)
  }

  async enable(...name: Parameters<Receivers['enable']>): ReturnType<Receivers['enable']> {
    return (await this.#kept()).enable(...name)
  }

  async list(): ReturnType<Receivers['list']> {
    return (await this.#kept()).list()
  }

  /** A broker without a ledger has no documents. */
  async #kept(): Promise<Receivers> {
    const documents = await this.#open()
    return documents === undefined ? this.#own : documentReceivers(async () => documents)
  }
}
