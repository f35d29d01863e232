import type { Documents } from '../../documents.ts'
import { documentKinds } from '../../documents.ts'
import { decode } from '../../job/payload.ts'
import type { DisabledReceiver, Receivers } from './receivers.ts'

/** What is needed of the documents of a store. */
export type ReceiverDocuments = Pick<Documents, 'list' | 'write'>

const KIND = documentKinds.receivers
const PAGE = 1000

/** Known to every process on the store of the jobs, and after a restart. `open` is called when it is first needed. */
export function documentReceivers(open: () => Promise<ReceiverDocuments>): Receivers {
  const found = async (name: string): Promise<{ version: number; value: string } | undefined> =>
    (await (await open()).list({ kind: KIND, names: [name] }))[0]
  const write = async (name: string, expected: number, value: string | undefined): Promise<boolean> =>
    (await (await open()).write([{ kind: KIND, name, expected, value }]))[0] === true
  return {
    state: async (name) => {
      const document = await found(name)
      return document === undefined ? undefined : read(document.value)
    },
    disable: (receiver) => write(receiver.name, 0, JSON.stringify(receiver)),
    enable: async (name) => {
      for (let document = await found(name); document !== undefined; document = await found(name))
        if (await write(name, document.version, undefined)) return true
      return false
    },
    list: async () => {
      const all: DisabledReceiver[] = []
      for (let after: string | undefined; ; ) {
        const page = await (await open()).list({
          kind: KIND,
          limit: PAGE,
          ...(after === undefined ? {} : { after }),
        })
        all.push(...page.map(({ value }) => read(value)))
        after = page.at(-1)?.name
        if (page.length < PAGE || after === undefined) return all
      }
    },
  }
}

function read(value: string): DisabledReceiver {
  return decode(value) as DisabledReceiver
}
