/** What goes to a thread or process that runs an isolated handler. */
export interface Start {
  readonly module: string
  readonly task: string
  readonly payload: string
  readonly job: {
    readonly id: string
    readonly queue: string
    readonly attempt: number
    readonly maxAttempts: number
    readonly key: string | undefined
  }
}

export type ToRunner =
  | ({ readonly type: 'start' } & Start)
  | { readonly type: 'abort'; readonly code: string; readonly message: string }
  | {
      readonly type: 'enqueued'
      readonly call: number
      readonly id?: string
      readonly duplicate?: boolean
      readonly error?: string
    }

/** What comes back. Values are JSON text; an outcome comes as its name and fields. */
export type FromRunner =
  | { readonly type: 'result'; readonly value?: string }
  | {
      readonly type: 'outcome'
      readonly outcome: 'retry' | 'snooze' | 'discard'
      readonly afterMs?: number
      readonly reason?: string
    }
  | {
      readonly type: 'error'
      readonly name: string
      readonly message: string
      readonly stack?: string
      readonly retryAfterMs?: number
    }
  | { readonly type: 'progress'; readonly value: string }
  | { readonly type: 'log'; readonly message: string }
  | {
      readonly type: 'enqueue'
      readonly call: number
      readonly task: string
      readonly input: string
      readonly options: string
    }
