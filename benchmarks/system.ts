/** What a measurement needs of a system. Systems are `.mjs`, so that a peer can run on another Node than ours. */
export interface System {
  /** Resolves when one job is accepted. */
  add(payload: object): Promise<unknown>
  addMany(payloads: readonly object[]): Promise<unknown>
  /** Runs jobs that do nothing; `onDone` is called when the system knows the end of one. */
  work(concurrency: number, hooks: { onStart: (payload: { at: number }) => void; onDone: () => void }): void
  /** What the jobs take, in the file or in the server's memory. */
  bytes(): Promise<number>
  close(): Promise<unknown>
}

export interface Place {
  readonly system: string
  /** Of the queue, where a server holds many. */
  readonly name: string
  /** Of the file, where it is one. */
  readonly path: string
  /** Of the Redis server. */
  readonly port?: number
}

export type Open = (place: Place) => Promise<System>
