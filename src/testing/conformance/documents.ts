import assert from 'node:assert/strict'
import type { Document, DocumentChange, Documents } from '../../documents.ts'
import type { Bench, ConformanceCase } from './case.ts'
import { ids, needsSecond } from './case.ts'
import { hostileTexts } from './hostile.ts'

const put = (name: string, more: Partial<DocumentChange> = {}): DocumentChange => ({
  kind: 'k',
  name,
  expected: 0,
  value: '{}',
  ...more,
})

const names = (documents: readonly Document[]): string[] => documents.map(({ name }) => name)

async function read(documents: Documents, name: string, kind = 'k'): Promise<Document | undefined> {
  return (await documents.list({ kind, names: [name] }))[0]
}

/** Small named documents: compare-and-set, order, instants, and jobs that are accepted with a change. */
export const documents: readonly ConformanceCase[] = [
  {
    group: 'documents',
    name: 'a document is written where its version is the expected one, and nowhere else',
    async run({ documents }) {
      assert.deepEqual(await documents.write([put('a', { value: '1' })]), [true])
      assert.deepEqual(await documents.write([put('a', { value: '2' })]), [false])
      assert.deepEqual(await documents.write([put('a', { expected: 2, value: '2' })]), [false])
      assert.deepEqual(await read(documents, 'a'), { kind: 'k', name: 'a', version: 1, value: '1' })
      assert.deepEqual(await documents.write([put('a', { expected: 1, value: '3', dueAt: 5 })]), [true])
      assert.deepEqual(await read(documents, 'a'), { kind: 'k', name: 'a', version: 2, value: '3', dueAt: 5 })
      assert.deepEqual(await documents.write([put('a', { expected: 2, value: '4' })]), [true])
      assert.deepEqual(await read(documents, 'a'), { kind: 'k', name: 'a', version: 3, value: '4' })
    },
  },
  {
    group: 'documents',
    name: 'a deleted document is gone, and its next life begins with version 1',
    async run({ documents }) {
      await documents.write([put('a', { dueAt: 5 })])
      assert.deepEqual(await documents.write([put('a', { expected: 7, value: undefined })]), [false])
      assert.deepEqual(await documents.write([put('a', { expected: 1, value: undefined })]), [true])
      assert.deepEqual(await documents.list({ kind: 'k' }), [])
      assert.deepEqual(await documents.due({ kind: 'k', at: 10, limit: 10 }), { documents: [] })
      assert.deepEqual(await documents.write([put('a', { expected: 1 })]), [false])
      assert.deepEqual(await documents.write([put('a')]), [true])
      assert.equal((await read(documents, 'a'))?.version, 1)
    },
  },
  {
    group: 'documents',
    name: 'changes of one call are made in order, each by itself',
    async run({ documents }) {
      const written = await documents.write([
        put('a', { value: '1' }),
        put('b', { expected: 3 }),
        put('a', { expected: 1, value: '2' }),
        put('c'),
      ])
      assert.deepEqual(written, [true, false, true, true])
      assert.deepEqual(names(await documents.list({ kind: 'k' })), ['a', 'c'])
      assert.equal((await read(documents, 'a'))?.value, '2')
    },
  },
  {
    group: 'documents',
    name: 'a list is in the order of the names by their bytes, a page at a time, each kind by itself',
    async run({ documents }) {
      const inOrder = ['A', 'B', 'a', 'b', 'ä', '\uff5e', '🎉']
      await documents.write([...inOrder].reverse().map((name) => put(name)))
      await documents.write([put('B2', { kind: 'other' })])
      assert.deepEqual(names(await documents.list({ kind: 'k' })), inOrder)
      assert.deepEqual(names(await documents.list({ kind: 'k', limit: 3 })), inOrder.slice(0, 3))
      const paged: string[] = []
      for (let page = await documents.list({ kind: 'k', limit: 3 }); page.length > 0; ) {
        paged.push(...names(page))
        page = await documents.list({ kind: 'k', limit: 3, after: paged.at(-1) ?? '' })
      }
      assert.deepEqual(paged, inOrder)
      assert.deepEqual(names(await documents.list({ kind: 'k', names: ['b', 'none', 'A', 'b'] })), ['b', 'A'])
      assert.deepEqual(names(await documents.list({ kind: 'nothing' })), [])
    },
  },
  {
    group: 'documents',
    name: 'what is due comes the longest due first, and the next instant is told',
    async run({ documents }) {
      await documents.write([
        put('late', { dueAt: 300 }),
        put('b', { dueAt: 200 }),
        put('never'),
        put('a', { dueAt: 200 }),
        put('first', { dueAt: 100 }),
        put('elsewhere', { kind: 'other', dueAt: 1 }),
      ])
      const due = async (at: number, limit = 10): Promise<[string[], number | undefined]> => {
        const { documents: found, nextAt } = await documents.due({ kind: 'k', at, limit })
        return [names(found), nextAt]
      }
      assert.deepEqual(await due(99), [[], 100])
      assert.deepEqual(await due(100), [['first'], 200])
      assert.deepEqual(await due(250, 2), [['first', 'a'], 200])
      assert.deepEqual(await due(250), [['first', 'a', 'b'], 300])
      assert.deepEqual(await due(300), [['first', 'a', 'b', 'late'], undefined])
      const after = { kind: 'k', at: 300, limit: 1, after: { dueAt: 200, name: 'a' } }
      const rest = await documents.due(after)
      assert.deepEqual([names(rest.documents), rest.nextAt], [['b'], 300])
      await documents.write([put('first', { expected: 1, dueAt: 900 }), put('a', { expected: 1 })])
      assert.deepEqual(await due(300), [['b', 'late'], 900])
    },
  },
  {
    group: 'documents',
    name: 'jobs are accepted with their change and not without it',
    async run(b) {
      await b.documents.write([put('a')])
      const [mine, theirs] = [b.job({ id: 'mine' }), b.job({ id: 'theirs' })]
      const written = await b.documents.write([
        put('a', { expected: 1, jobs: [mine] }),
        put('a', { expected: 1, jobs: [theirs] }),
      ])
      assert.deepEqual(written, [true, false])
      assert.deepEqual(
        (await b.ledger.find({})).jobs.map(({ id }) => id),
        ['mine'],
      )
      assert.deepEqual(ids(await b.take(1)), ['mine'])
    },
  },
  {
    group: 'documents',
    name: 'jobs of a change are whole: key, priority, time and deadline, and a full queue takes them',
    async run(b) {
      await b.enqueue({ id: 'before' })
      const now = b.target.now()
      const jobs = [
        b.job({ id: 'plain', priority: 9 }),
        b.job({ id: 'keyed', key: 'one' }),
        b.job({ id: 'later', runAt: now + 60_000, deadline: now + 120_000, trace: { traceparent: 'x' } }),
      ]
      assert.deepEqual(await b.documents.write([put('a', { jobs })]), [true])
      assert.deepEqual(ids(await b.take(3)), ['plain', 'before', 'keyed'])
      const { state, dueAt, deadline, trace } = await b.record('later')
      assert.deepEqual([state, dueAt, deadline], ['scheduled', now + 60_000, now + 120_000])
      assert.deepEqual({ ...trace }, { traceparent: 'x' })
    },
  },
  {
    group: 'documents',
    name: 'a change whose job is remembered already is made all the same',
    async run(b) {
      await b.enqueue({ id: 'once', payload: '"first"' })
      const again = b.job({ id: 'once', payload: '"second"' })
      assert.deepEqual(await b.documents.write([put('a', { jobs: [again, b.job({ id: 'new' })] })]), [true])
      assert.equal((await read(b.documents, 'a'))?.version, 1)
      assert.equal((await b.record('once')).payload, '"first"')
      assert.deepEqual(ids(await b.take(2)).sort(), ['new', 'once'])
    },
  },
  {
    group: 'documents',
    name: 'of two connections that write one version, one wins and its jobs alone are accepted',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      for (let round = 0; round < 20; round++) {
        const write = (
          documents: Documents | undefined,
          who: string,
        ): Promise<readonly boolean[]> | undefined =>
          documents?.write([
            put('a', { expected: round, value: `"${who}"`, jobs: [b.job({ id: `${who}-${round}` })] }),
          ])
        const [one, two] = await Promise.all([write(b.documents, 'one'), write(other.documents, 'two')])
        assert.deepEqual([one?.[0], two?.[0]].sort(), [false, true])
        const winner = one?.[0] === true ? 'one' : 'two'
        assert.equal((await read(b.documents, 'a'))?.value, `"${winner}"`)
        assert.deepEqual(ids(await b.take(1)), [`${winner}-${round}`])
      }
      assert.equal((await b.ledger.find({})).jobs.length, 20)
    },
  },
  {
    group: 'documents',
    name: 'documents are seen by every connection and are there when the store is opened again',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      await b.documents.write([put('a', { value: '{"kept":true}', dueAt: 7 })])
      const kept = { kind: 'k', name: 'a', version: 1, value: '{"kept":true}', dueAt: 7 }
      assert.deepEqual(other.documents && (await read(other.documents, 'a')), kept)
      await other.close()
      await b.backend.close()
      const again = await b.reopen()
      assert.deepEqual(again.documents && (await read(again.documents, 'a')), kept)
    },
  },
  {
    group: 'documents',
    name: 'a closed store refuses to read and to write documents',
    async run(b) {
      await b.backend.close()
      const closed = { code: 'CLOSED' }
      await assert.rejects(b.documents.list({ kind: 'k' }), closed)
      await assert.rejects(b.documents.due({ kind: 'k', at: 0, limit: 1 }), closed)
      await assert.rejects(b.documents.write([put('a')]), closed)
    },
  },
  ...hostileTexts.map(
    (text): ConformanceCase => ({
      group: 'documents',
      name: `a hostile text stays data as kind, name and value: ${JSON.stringify(text).slice(0, 30)}`,
      run: (b) => hostile(b, text),
    }),
  ),
]

async function hostile({ documents }: Bench, text: string): Promise<void> {
  const value = JSON.stringify(text)
  assert.deepEqual(await documents.write([{ kind: text, name: text, expected: 0, value, dueAt: 1 }]), [true])
  const stored = { kind: text, name: text, version: 1, value, dueAt: 1 }
  assert.deepEqual(await documents.list({ kind: text }), [stored])
  assert.deepEqual(await documents.list({ kind: text, names: [text, `${text}2`] }), [stored])
  assert.deepEqual(await documents.list({ kind: text, after: text }), [])
  assert.deepEqual((await documents.due({ kind: text, at: 1, limit: 1 })).documents, [stored])
}
