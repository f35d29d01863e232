import type { Document, Documents } from '../documents.ts'
import { documentKinds } from '../documents.ts'
import type { Journal } from './journal.ts'

const PAGE = 100

export interface MovedDocuments {
  readonly moved: readonly string[]
  /** Why the others stay here, by kind and name. */
  readonly left: ReadonlyMap<string, string>
}

/** All documents that go along. */
export async function documentsIn(documents: Documents): Promise<readonly Document[]> {
  const all: Document[] = []
  for (const kind of Object.values(documentKinds))
    for (let after: string | undefined, more = true; more; ) {
      const page = await documents.list({ kind, limit: PAGE, ...(after === undefined ? {} : { after }) })
      all.push(...page)
      after = page.at(-1)?.name
      more = page.length === PAGE
    }
  return all
}

/**
 * Moves documents one by one: each is taken away here, by its version, before it is there, so that a schedule never ticks
 * at both ends; meanwhile the journal has it.
 */
export async function moveDocuments(
  from: Documents,
  to: Documents,
  journal: Journal,
): Promise<MovedDocuments> {
  const moved: string[] = []
  const left = new Map<string, string>()
  const put = async (document: Document): Promise<void> => {
    const isThere = await bring(to, document)
    if (isThere) moved.push(nameOf(document))
    else {
      left.set(nameOf(document), TAKEN)
      await from.write([{ ...changeOf(document), expected: 0 }])
    }
    await journal.carry(undefined)
  }
  const onItsWay = journal.document
  // A kill came while it was nowhere else; where it is here, it is moved with the others.
  if (onItsWay !== undefined && (await read(from, onItsWay)) === undefined) await put(onItsWay)
  for (const listed of await documentsIn(from))
    for (let document: Document | undefined = listed; document !== undefined; ) {
      const there = await read(to, document)
      if (there !== undefined && !isSame(document, there)) {
        left.set(nameOf(document), TAKEN)
        break
      }
      await journal.carry(document)
      const { kind, name, version } = document
      const [isGone] = await from.write([{ kind, name, expected: version, value: undefined }])
      if (isGone === true) {
        await put(document)
        break
      }
      document = await read(from, document)
    }
  return { moved, left }
}

const TAKEN = 'there is another of that name there: remove one of them'

const nameOf = ({ kind, name }: Document): string => `${kind} ${name}`

async function read(documents: Documents, { kind, name }: Document): Promise<Document | undefined> {
  return (await documents.list({ kind, names: [name] }))[0]
}

function changeOf({ kind, name, value, dueAt }: Document): Omit<Document, 'version'> {
  return { kind, name, value, ...(dueAt === undefined ? {} : { dueAt }) }
}

/** False where another of its name is there. */
async function bring(to: Documents, document: Document): Promise<boolean> {
  const [made] = await to.write([{ ...changeOf(document), expected: 0 }])
  if (made === true) return true
  const there = await read(to, document)
  return there !== undefined && isSame(document, there)
}

/** A schedule that the application has stored there already, at its start, is the same when its definition is. */
function isSame(a: Document, b: Document): boolean {
  if (a.value === b.value) return true
  const [ours, theirs] = [definitionIn(a.value), definitionIn(b.value)]
  return ours !== undefined && ours === theirs
}

function definitionIn(value: string): string | undefined {
  try {
    const { definition } = JSON.parse(value) as { definition?: object }
    return definition === undefined ? undefined : JSON.stringify(definition)
  } catch {
    return undefined
  }
}
