import type { Backend } from '../backend.ts'
import { breath } from '../batch.ts'
import type { Clock } from '../clock.ts'
import type { Document, DocumentChange, Documents } from '../documents.ts'
import { BackendError, CapabilityError } from '../job/errors.ts'
import type { Schedule } from './schedule.ts'
import type { Definition, Stored } from './stored.ts'
import { changed, definitionOf, KIND, storedIn } from './stored.ts'

const BATCH = 500
/** Every process that starts stores the same schedules: who comes second finds them and has nothing to write. */
const MOST_TRIES = 20

interface Wanted {
  readonly name: string
  readonly definition: Definition
  readonly paused: boolean
}

interface Around {
  readonly clock: Clock
  readonly payloadBytes: number
}

/** A backend that was just opened, once the schedules are stored in it; closed when they cannot be. */
export async function openedWith(
  backend: Backend,
  schedules: readonly Schedule[],
  around: Around,
): Promise<Backend> {
  if (schedules.length === 0) return backend
  try {
    await store(documentsOf(backend), schedules, around)
    return backend
  } catch (error) {
    await backend.close()
    throw error
  }
}

/** @throws CAPABILITY_MISSING */
export function documentsOf({ documents, broker }: Backend): Documents {
  if (documents !== undefined) return documents
  throw new CapabilityError(
    'CAPABILITY_MISSING',
    `${broker.name} with ledger: 'none' remembers no schedules: name a ledger to have some`,
  )
}

/** Stores schedules by name, each that differs from what is stored. @throws InputError, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, BackendError */
export async function store(
  documents: Documents,
  schedules: readonly Schedule[],
  { clock, payloadBytes }: Around,
): Promise<void> {
  let left: Wanted[] = []
  for (const one of schedules)
    left.push({ name: one.name, definition: await definitionOf(one, payloadBytes), paused: one.paused })
  for (let tries = 0; left.length > 0; tries++) {
    if (tries === MOST_TRIES)
      throw new BackendError(
        'BACKEND_UNAVAILABLE',
        'the schedules are changed by others all the time: try again',
        {
          retryAfterMs: 1000,
        },
      )
    const lost: Wanted[] = []
    for (let at = 0; at < left.length; at += BATCH) {
      lost.push(...(await storeSome(documents, left.slice(at, at + BATCH), clock.now())))
      await breath()
    }
    left = lost
  }
}

/** Answers those that somebody else wrote meanwhile. */
async function storeSome(documents: Documents, some: readonly Wanted[], now: number): Promise<Wanted[]> {
  const found = await documents.list({ kind: KIND, names: some.map(({ name }) => name) })
  const before = new Map(found.map((document) => [document.name, document]))
  const changes = some.flatMap((one) => changeOf(one, before.get(one.name), now) ?? [])
  const written = changes.length === 0 ? [] : await documents.write(changes)
  const lost = new Set(changes.filter((_, nth) => written[nth] !== true).map(({ name }) => name))
  return some.filter(({ name }) => lost.has(name))
}

function changeOf(
  { name, definition, paused }: Wanted,
  document: Document | undefined,
  now: number,
): DocumentChange | undefined {
  const stored = document && readable(document)
  const before = stored && { stored, dueAt: document.dueAt }
  const after = changed(definition, paused, before, now)
  if (after === undefined) return undefined
  return {
    kind: KIND,
    name,
    expected: document?.version ?? 0,
    value: JSON.stringify(after.stored),
    ...(after.dueAt === undefined ? {} : { dueAt: after.dueAt }),
  }
}

/** What cannot be read is written anew. */
function readable(document: Document): Stored | undefined {
  try {
    return storedIn(document)
  } catch {
    return undefined
  }
}
