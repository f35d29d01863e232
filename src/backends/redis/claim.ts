import type { Claim } from '../../broker.ts'
import type { Stored } from './codec.ts'
import { parseHeader, readBody } from './codec.ts'
import type { Kinds } from './kinds.ts'

/** Who claims, as a script is told it. */
export interface Wanted {
  readonly queue: string
  readonly limit: number
  readonly worker: string
  /** The header of a job that is claimed for the first time. */
  readonly fresh: string
  readonly started: number
  readonly until: number
  readonly by: string
  readonly call: number
}

export interface Claims {
  readonly kind: 'paused' | 'due' | 'none' | 'taken'
  /** When the next job moves by time alone. */
  readonly dueAt?: number
  readonly claims: readonly Claim[]
}

/** What the store needs to end a claim without looking the job up: the job as the claim left it. */
interface Receipt {
  readonly stored: Stored
}

type Answer = readonly [
  kind: Claims['kind'],
  dueAt: string,
  kinds: readonly string[],
  ids: readonly string[],
  bodies: readonly string[],
  headers: readonly string[],
]

/** Reads the answer of the script: ids, bodies and headers (empty where it is `fresh`, or all of them are). */
export function claimsOf(answer: unknown, { fresh, until: leaseUntil }: Wanted, known: Kinds): Claims {
  const [kind, dueAt, kinds = [], ids = [], bodies = [], headers = []] = answer as Answer
  known.learn(kinds)
  const freshHeader = parseHeader(fresh)
  const claims: Claim[] = []
  for (const [nth, id] of ids.entries()) {
    const text = headers[nth] || fresh
    const body = readBody(id, bodies[nth] ?? '', known)
    // Somebody else wrote it, and nobody can work on it; the others must not wait for it.
    if (body === undefined) continue
    const header = text === fresh ? freshHeader : parseHeader(text)
    const stored: Stored = { id, body, header, text }
    const { a: attempt = 1, f: fence = 1 } = header ?? {}
    claims.push({ job: body.job, attempt, fence, leaseUntil, receipt: { stored } satisfies Receipt })
  }
  return { kind, claims, ...(dueAt === '' ? {} : { dueAt: Number(dueAt) }) }
}

/** The job as the claim left it, where the claim still carries that. */
export function receiptOf({
  receipt,
  fence,
  job,
}: {
  readonly job: { readonly id: string }
  readonly fence: number
  readonly receipt?: unknown
}): Stored | undefined {
  if (typeof receipt !== 'object' || receipt === null || !('stored' in receipt)) return undefined
  const { stored } = receipt as Receipt
  return stored.header?.f === fence && stored.id === job.id ? stored : undefined
}
