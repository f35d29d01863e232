import type { Document, Documents } from '../documents.ts'
import { decode } from '../job/payload.ts'
import type { PresenceKind } from './beacon.ts'
import { presenceKinds } from './beacon.ts'
import type { Presence, ScalerView, WorkerView } from './view.ts'

const PAGE = 1000

/** The workers that told of themselves lately, by name. */
export function rollCall(documents: Documents, now: number): Promise<WorkerView[]> {
  const isWorker = ({ queues, attempts }: WorkerView): boolean =>
    Array.isArray(queues) && Array.isArray(attempts)
  return present(documents, presenceKinds.workers, now, isWorker)
}

/** The autoscalers that did. */
export function scalersOf(documents: Documents, now: number): Promise<ScalerView[]> {
  return present(documents, presenceKinds.scalers, now, ({ decisions }: ScalerView) =>
    Array.isArray(decisions),
  )
}

async function present<View extends Presence>(
  documents: Documents,
  kind: PresenceKind,
  now: number,
  isOurs: (view: View) => boolean,
): Promise<View[]> {
  const views: View[] = []
  for (let after: string | undefined; ; ) {
    const page = await documents.list({ kind, limit: PAGE, ...(after === undefined ? {} : { after }) })
    views.push(...page.flatMap((document) => viewIn(document, now, isOurs) ?? []))
    after = page.at(-1)?.name
    if (page.length < PAGE) return views
  }
}

/** Whoever can write the store may have written it, and another release: who cannot be read is left out. */
function viewIn<View extends Presence>(
  { name, value, dueAt }: Document,
  now: number,
  isOurs: (view: View) => boolean,
): View | undefined {
  if (dueAt === undefined || dueAt <= now) return undefined
  try {
    const view = decode(value) as View
    return view.id === name && isOurs(view) ? view : undefined
  } catch {
    return undefined
  }
}
