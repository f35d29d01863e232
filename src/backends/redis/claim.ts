import type { Claim } from '../../broker.ts'
import type { Stored } from './codec.ts'
import { parseBody, parseHeader } from './codec.ts'

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

/** Reads the answer of the script: kind, instant, then id, body and header (empty where it is `fresh`) of each job. */
export function claimsOf(answer: readonly string[], fresh: string, leaseUntil: number): Claims {
  const [kind, dueAt = ''] = answer as [Claims['kind'], string]
  const claims: Claim[] = []
  const freshHeader = parseHeader(fresh)
  for (let at = 2; at < answer.length; at += 3) {
    const [id, body, text] = [answer[at] ?? '', answer[at + 1] ?? '', answer[at + 2] || fresh]
    const header = text === fresh ? freshHeader : parseHeader(text)
    const stored: Stored = { id, body: parseBody(id, body), header, text }
    const { a: attempt = 1, f: fence = 1 } = header ?? {}
    claims.push({ job: stored.body.job, attempt, fence, leaseUntil, receipt: { stored } satisfies Receipt })
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
