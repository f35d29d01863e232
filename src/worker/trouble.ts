import type { ErrorCode } from '../job/errors.ts'
import type { Logger } from '../log.ts'
import { hideSecrets } from '../secrets.ts'

/** Whether a worker can reach its backend: told once when it no longer can, and once when it can again. */
export class Trouble {
  readonly #worker: string
  readonly #logger: Logger
  readonly #onChange: (error: unknown) => void
  #reason: string | undefined

  constructor(worker: string, logger: Logger, onChange: (error: unknown) => void) {
    this.#worker = worker
    this.#logger = logger
    this.#onChange = onChange
  }

  /** What the backend said last; undefined while all is well. */
  get reason(): string | undefined {
    return this.#reason
  }

  begin(error: unknown): void {
    const isNew = this.#reason === undefined
    this.#reason = hideSecrets(error instanceof Error ? error.message : String(error))
    if (!isNew) return
    this.#logger.error(
      { worker: this.#worker, code: (error as { code?: ErrorCode }).code, error: this.#reason },
      'the backend cannot be reached; trying again until it can',
    )
    this.#onChange(error)
  }

  end(): void {
    if (this.#reason === undefined) return
    this.#reason = undefined
    this.#logger.warn({ worker: this.#worker }, 'the backend is reached again')
    this.#onChange(undefined)
  }
}
