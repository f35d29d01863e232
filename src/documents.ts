import type { Job } from './job/job.ts'

/**
 * Remembers small named documents that a program steers by (schedules, switched-off webhook receivers): each has a
 * version, and maybe an instant at which somebody must look.
 */
export interface Documents {
  /** Documents of a kind in the order of their names (by UTF-8 bytes), or those named, in the order asked. */
  list(query: DocumentQuery): Promise<readonly Document[]>
  /** Those of a kind whose `dueAt` is at or before `at`, the longest due first; `nextAt`: when the next after them is due. */
  due(query: DueQuery): Promise<DueDocuments>
  /**
   * Makes each change, in order, where the version is the expected one, and accepts its jobs in the same atomic step,
   * whatever room there is; a job whose id is remembered already is a duplicate and changes nothing. False where the
   * version was another: nothing of that change was made. Rejects only when no change was made for certain.
   */
  write(changes: readonly DocumentChange[]): Promise<readonly boolean[]>
}

/** Every kind that goes along when a store is moved: a new one is added here. */
export const documentKinds = { schedules: 'schedule', receivers: 'webhook' } as const

export interface DocumentQuery {
  readonly kind: string
  /** Those with these names; `after` and `limit` then mean nothing. */
  readonly names?: readonly string[]
  /** Those whose names come after this one. */
  readonly after?: string
  /** 1 to 1000; 100 unless told otherwise. */
  readonly limit?: number
}

export interface DueQuery {
  readonly kind: string
  readonly at: number
  /** At most so many documents. */
  readonly limit: number
  /** Those that come after this one in the order of what is due. */
  readonly after?: { readonly dueAt: number; readonly name: string }
}

export interface DueDocuments {
  readonly documents: readonly Document[]
  /** May have passed already, where `limit` left some out. */
  readonly nextAt?: number
}

export interface Document {
  readonly kind: string
  /** One character at least. */
  readonly name: string
  /** 1 when it is new; grows by one with each write. */
  readonly version: number
  /** JSON text. */
  readonly value: string
  readonly dueAt?: number
}

export interface DocumentChange {
  readonly kind: string
  readonly name: string
  /** The version that the document must have; 0: it must not exist. */
  readonly expected: number
  /** JSON text; undefined deletes the document. */
  readonly value: string | undefined
  readonly dueAt?: number
  /** Accepted with the change, and not without it. */
  readonly jobs?: readonly Job[]
}

const PAGE = 100
const LARGEST_PAGE = 1000

/** How many documents a page of a list holds. */
export function pageOf({ limit = PAGE }: DocumentQuery): number {
  return Math.min(Math.max(Math.floor(limit), 1), LARGEST_PAGE)
}
