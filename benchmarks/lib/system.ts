/** What a measurement needs of a system. Systems are `.mjs`, so that a peer can run on another Node than ours. */
export interface System {
  /** Resolves when one job is accepted. A priority is given only where `npm run bench -- redis-growth` measures it. */
  add(payload: object, priority?: number): Promise<unknown>
  addMany(payloads: readonly object[], priorityOf?: (index: number) => number): Promise<unknown>
  /** Runs jobs that do nothing; `onDone` is called when the system knows the end of one. */
  work(concurrency: number, hooks: { onStart: (payload: { at: number }) => void; onDone: () => void }): void
  /** What the jobs take, in the file or in the server's memory; where it can be told. */
  bytes?(): Promise<number>
  /** What the server has computed since its start, in microseconds; where there is a server. */
  serverCpu?(): Promise<number>
  /** Jobs that could start now, where it is asked for. */
  waiting?(): Promise<number>
  /** Resolves when a worker could take all that was accepted; where that is later than the acceptance. */
  published?(): Promise<void>
  close(): Promise<unknown>
}

export interface Place {
  /** Of the queue, where a server holds many. */
  readonly name: string
  /** Of the file, where it is one. */
  readonly path: string
  /** Of the server. */
  readonly port?: number
  /** Of the server's process, where it does not tell itself what it computed. */
  readonly pid?: number
  /** Of Offload's store. */
  readonly url?: string
  /** Whether Offload checks inputs against a schema. */
  readonly checked?: boolean
  /** Of Offload: limits, retention and ledger other than the defaults. Of a peer: what is measured besides its defaults. */
  readonly settings?: object
}

export type Open = (place: Place) => Promise<System>
