import type { StatementSync } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { BackendError } from '../../job/errors.ts'
import { applySchema, VERSION } from './schema.ts'

/** Blocks the event loop for at most so long before it waits without blocking. */
const BUSY_BLOCK_MS = 2

export type Durability = 'synced' | 'written'

/** One connection to the file: statements kept, writes in short transactions, faults as coded errors. */
export class Connection {
  readonly path: string
  readonly #db: DatabaseSync
  readonly #timeoutMs: number
  readonly #fsyncs: boolean
  readonly #statements = new Map<string, StatementSync>()
  #synced = true
  #closed = false

  /** @param synced whether `synced` writes are: without it no write waits for the disk */
  constructor(path: string, timeoutMs: number, synced: boolean) {
    this.path = path
    this.#fsyncs = synced
    this.#timeoutMs = timeoutMs
    try {
      this.#db = new DatabaseSync(path, { timeout: timeoutMs })
    } catch (error) {
      throw coded(error, path)
    }
    try {
      untilFree(timeoutMs, () => applySchema(this.#db, path))
      this.#db.exec(`pragma busy_timeout = ${BUSY_BLOCK_MS}`)
      this.#refuseReadOnly()
    } catch (error) {
      this.#db.close()
      throw coded(error, path)
    }
  }

  /** SQLite opens what it cannot write for reading, and such a connection stays so when it can be written again. */
  #refuseReadOnly(): void {
    try {
      this.#db.exec(`begin immediate; pragma user_version = ${VERSION}`)
    } catch (error) {
      if (!isBusy(error)) throw error
    } finally {
      if (this.#db.isTransaction) this.#db.exec('rollback')
    }
  }

  /** The statement of a text, prepared once. */
  sql(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.#db.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }

  /** The statement of a text whose rows come as lists of values. */
  list(text: string): StatementSync {
    const statement = this.sql(text)
    statement.setReturnArrays(true)
    return statement
  }

  read<T>(work: () => T): T {
    this.#checkOpen()
    try {
      return work()
    } catch (error) {
      throw coded(error, this.path)
    }
  }

  /**
   * Runs `work` in one transaction and commits it; `synced` resolves after an fsync.
   * Another process that holds the lock is waited for, without blocking, up to the timeout.
   */
  async write<T>(durability: Durability, work: () => T): Promise<T> {
    const givenUpAt = performance.now() + this.#timeoutMs
    for (let tries = 0; ; tries++) {
      this.#checkOpen()
      if (this.#begin(durability)) return this.#finish(work)
      if (performance.now() > givenUpAt) {
        throw new BackendError(
          'BACKEND_UNAVAILABLE',
          `${this.path} was locked by another process for ${this.#timeoutMs} ms; nothing was written`,
          { retryAfterMs: 1000 },
        )
      }
      await wait(Math.random() * Math.min(20, 2 ** tries))
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#statements.clear()
    this.#db.close()
  }

  #begin(durability: Durability): boolean {
    try {
      const synced = durability === 'synced' && this.#fsyncs
      if (synced !== this.#synced) {
        this.#db.exec(synced ? 'pragma synchronous = full' : 'pragma synchronous = normal')
        this.#synced = synced
      }
      this.sql('begin immediate').run()
      return true
    } catch (error) {
      if (isBusy(error)) return false
      throw coded(error, this.path)
    }
  }

  #finish<T>(work: () => T): T {
    try {
      const result = work()
      this.sql('commit').run()
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.sql('rollback').run()
      throw coded(error, this.path)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new BackendError('CLOSED', `${this.path} is closed`)
  }
}

/** Primary result codes: https://sqlite.org/rescode.html */
const SQLITE = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
}

function primaryCode(error: unknown): number | undefined {
  const code: unknown = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

/**
 * While another process makes the file or turns it to its log, SQLite answers that it is locked without heeding the busy
 * timeout, where to wait could be to wait for each other. To begin anew lets the other go on.
 */
function untilFree(timeoutMs: number, work: () => void): void {
  const givenUpAt = performance.now() + timeoutMs
  for (;;) {
    try {
      work()
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > givenUpAt) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * BUSY_BLOCK_MS)
    }
  }
}

function isBusy(error: unknown): boolean {
  const code = primaryCode(error)
  return code === SQLITE.BUSY || code === SQLITE.LOCKED
}

function coded(error: unknown, path: string): unknown {
  const details = { cause: error, retryAfterMs: 5000 }
  const reason = (error as Error | undefined)?.message ?? String(error)
  switch (primaryCode(error)) {
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
      return new BackendError(
        'BACKEND_UNAVAILABLE',
        `${path} is locked by another process; try again`,
        details,
      )
    case SQLITE.READONLY:
      return new BackendError(
        'BACKEND_READ_ONLY',
        `${path} cannot be written: make the file and its folder writable for this user`,
        details,
      )
    case SQLITE.FULL:
      return new BackendError(
        'BACKEND_FULL',
        `there is no room left for ${path}: free disk space; nothing that was accepted is lost`,
        details,
      )
    case SQLITE.CANTOPEN:
      return new BackendError(
        'BACKEND_UNAVAILABLE',
        `${path} cannot be opened: does its folder exist, and may this user write there?`,
        details,
      )
    case SQLITE.NOTADB:
      return new BackendError(
        'BACKEND_CORRUPT',
        `${path} is no SQLite database: name another file, or move this one away`,
        details,
      )
    case SQLITE.CORRUPT:
      return new BackendError(
        'BACKEND_CORRUPT',
        `${path} is damaged (${reason}): stop all processes and restore it, or recover it with the sqlite3 shell`,
        details,
      )
    case SQLITE.IOERR:
      return new BackendError(
        'BACKEND_UNAVAILABLE',
        `reading or writing ${path} failed (${reason}): check the disk`,
        details,
      )
    default:
      return error
  }
}
