import type { Document, Documents } from '../documents.ts'
import { decode } from '../job/payload.ts'
import { KIND } from './beacon.ts'
import type { ScalingView } from './scaling.ts'
import { SCALING_KIND } from './scaling.ts'
import type { WorkerView } from './view.ts'

const PAGE = 1000

/** The workers that told of themselves lately, by name. */
export function rollCall(documents: Documents, now: number): Promise<WorkerView[]> {
  return standing<WorkerView>(documents, KIND, now, ({ attempts }) => attempts)
}

/** The autoscalers that told of themselves lately. */
export function scalingRoll(documents: Documents, now: number): Promise<ScalingView[]> {
  return standing<ScalingView>(documents, SCALING_KIND, now, ({ decisions }) => decisions)
}

async function standing<View extends { readonly id: string; readonly queues: readonly string[] }>(
  documents: Documents,
  kind: string,
  now: number,
  listOf: (view: View) => unknown,
): Promise<View[]> {
  const views: View[] = []
  for (let after: string | undefined; ; ) {
    const page = await documents.list({ kind, limit: PAGE, ...(after === undefined ? {} : { after }) })
    views.push(...page.flatMap((document) => viewIn(document, now, listOf) ?? []))
    after = page.at(-1)?.name
    if (page.length < PAGE) return views
  }
}

/** Whoever can write the store may have written it, and another release: who cannot be read is left out. */
function viewIn<View extends { readonly id: string; readonly queues: readonly string[] }>(
  { name, value, dueAt }: Document,
  now: number,
  listOf: (view: View) => unknown,
): View | undefined {
  if (dueAt === undefined || dueAt <= now) return undefined
  try {
    const view = decode(value) as View
    const isOurs = view.id === name && Array.isArray(view.queues) && Array.isArray(listOf(view))
    return isOurs ? view : undefined
  } catch {
    return undefined
  }
}
