import { expect, test } from 'vitest'
import type { Document } from '../../documents.ts'
import type { ReceiverDocuments } from './document-receivers.ts'
import { documentReceivers } from './document-receivers.ts'
import type { DisabledReceiver, Receivers } from './receivers.ts'
import { memoryReceivers } from './receivers.ts'

/** Documents that keep their promises; each write may be preceded by one of somebody else. */
function documents(before: () => void = () => {}): ReceiverDocuments & { touch(name: string): void } {
  const stored = new Map<string, Document>()
  return {
    list: async ({ names, after = '', limit = 100 }) => {
      if (names !== undefined) return names.flatMap((name) => stored.get(name) ?? [])
      const sorted = [...stored.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
      return sorted.filter(({ name }) => name > after).slice(0, limit)
    },
    write: async (changes) =>
      changes.map(({ kind, name, expected, value }) => {
        before()
        if ((stored.get(name)?.version ?? 0) !== expected) return false
        if (value === undefined) stored.delete(name)
        else stored.set(name, { kind, name, version: expected + 1, value })
        return true
      }),
    touch: (name) => {
      const document = stored.get(name)
      if (document !== undefined) stored.set(name, { ...document, version: document.version + 1 })
    },
  }
}

const receiver = (name: string, at = 1): DisabledReceiver => ({
  name,
  url: `https://${name}.example/`,
  reason: 'it said 410',
  at,
})
const kinds: [string, () => Receivers][] = [
  ['memory', memoryReceivers],
  [
    'documents',
    () => {
      const store = documents()
      return documentReceivers(async () => store)
    },
  ],
]

test.each(kinds)('%s: a receiver is disabled once and enabled once', async (_, make) => {
  const receivers = make()
  expect([await receivers.state('crm'), await receivers.enable('crm')]).toEqual([undefined, false])
  expect(
    await Promise.all([receivers.disable(receiver('crm')), receivers.disable(receiver('crm', 2))]),
  ).toEqual([true, false])
  expect(await receivers.state('crm')).toEqual(receiver('crm'))
  expect(await receivers.list()).toEqual([receiver('crm')])
  expect([await receivers.enable('crm'), await receivers.enable('crm')]).toEqual([true, false])
  expect(await receivers.disable(receiver('crm', 3))).toBe(true)
  expect(await receivers.state('crm')).toMatchObject({ at: 3 })
})

test.each(kinds)('%s: a long list is told whole', async (_, make) => {
  const receivers = make()
  const names = Array.from({ length: 2500 }, (_, index) => `r${String(index).padStart(5, '0')}`)
  for (const name of names) await receivers.disable(receiver(name))
  expect((await receivers.list()).map(({ name }) => name)).toEqual(names)
})

test('what another process wrote in between does not stop an enable', async () => {
  let others = 2
  const store = documents(() => {
    if (others-- > 0) store.touch('crm')
  })
  others = 0
  const receivers = documentReceivers(async () => store)
  await receivers.disable(receiver('crm'))
  others = 2
  expect(await receivers.enable('crm')).toBe(true)
  expect(await receivers.list()).toEqual([])
})
