import type { Document, Documents } from '../documents.ts'
import { decode } from '../job/payload.ts'
import { KIND } from './beacon.ts'
import type { WorkerView } from './view.ts'

const PAGE = 1000

/** The workers that told of themselves lately, by name. */
export async function rollCall(documents: Documents, now: number): Promise<WorkerView[]> {
  const views: WorkerView[] = []
  for (let after: string | undefined; ; ) {
    const page = await documents.list({ kind: KIND, limit: PAGE, ...(after === undefined ? {} : { after }) })
    views.push(...page.flatMap((document) => viewIn(document, now) ?? []))
    after = page.at(-1)?.name
    if (page.length < PAGE) return views
  }
}

/** Whoever can write the store may have written it, and another release: who cannot be read is left out. */
function viewIn({ name, value, dueAt }: Document, now: number): WorkerView | undefined {
  if (dueAt === undefined || dueAt <= now) return undefined
  try {
    const view = decode(value) as WorkerView
    const isOurs = view.id === name && Array.isArray(view.queues) && Array.isArray(view.attempts)
    return isOurs ? view : undefined
  } catch {
    return undefined
  }
}
