import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Does what follows a handler in the context that this was made in, not in that of the handler: what follows its end is no part of
 * its trace. What comes at once is done together, as soon as what runs now has ended: to change the context costs as much as a job.
 */
export class Outside {
  readonly #inside = AsyncLocalStorage.snapshot()
  readonly #drain = (): void => {
    for (const task of this.#waiting.splice(0)) task()
  }
  #waiting: (() => void)[] = []

  do(task: () => void): void {
    if (this.#waiting.push(task) === 1) this.#inside(queueMicrotask, this.#drain)
  }
}
