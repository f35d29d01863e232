import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defaultRetention } from '../backend.ts'
import { openMemory } from '../backends/memory/index.ts'
import { systemClock } from '../clock.ts'
import type { JobEvent, Ledger } from '../ledger.ts'
import { silentLogger } from '../log.ts'
import { Feed } from './feed.ts'

let ledger: Ledger
let feed: Feed
let close: () => Promise<void>
/** What is watched comes no sooner than this. */
let gate: Promise<void>
let open: () => void

let thrown: unknown[] = []

beforeEach(() => {
  const backend = openMemory({
    clock: systemClock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 1000,
  })
  if (backend.ledger === undefined) throw new Error('memory has a ledger')
  ledger = backend.ledger
  close = () => backend.close()
  gate = Promise.resolve()
  thrown = []
  const watch = ledger.watch.bind(ledger)
  ledger.watch = async function* (...args) {
    for await (const events of watch(...args)) {
      await gate
      yield events
    }
  }
  feed = new Feed(
    async () => ledger,
    systemClock,
    (error) => thrown.push(error),
  )
})

afterEach(async () => {
  open?.()
  feed.end()
  await close()
})

function shut(): void {
  gate = new Promise((resolve) => {
    open = resolve
  })
}

/** One event of each job: it is accepted. */
async function accept(...ids: string[]): Promise<void> {
  for (const id of ids)
    await ledger.record([
      { id, task: 't', queue: 'q', payload: 'null', priority: 4, createdAt: Date.now(), maxAttempts: 1 },
    ])
}

async function cancel(id: string): Promise<void> {
  await ledger.act({ type: 'cancel', ids: [id] })
}

/** What is heard, and how to stop hearing. */
async function join(id: string, after: number): Promise<{ types: string[]; stop: () => void }> {
  const types: string[] = []
  const stop = await feed.followAfter(id, after, ({ type }: JobEvent) => void types.push(type))
  return { types, stop }
}

test('who comes back has heard what it missed when it has joined, whether or not somebody was there before', async () => {
  await accept('a')
  await cancel('a')
  expect((await join('a', 0)).types).toEqual(['accepted', 'cancelled'])
  expect((await join('a', 1)).types).toEqual(['cancelled'])
  expect((await join('a', 2)).types).toEqual([])
})

test('one who joins hears what has happened, though the feed has not read it yet', async () => {
  await accept('a')
  const first = await join('a', 1)
  shut()
  await cancel('a')
  let second: string[] | undefined
  const joining = join('a', 1).then(({ types }) => {
    second = types
  })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(second).toBeUndefined()
  open()
  await joining
  expect(second).toEqual(['cancelled'])
  expect(first.types).toEqual(['cancelled'])
})

test('one who joins while the last other leaves misses nothing', async () => {
  await accept('a', 'b', 'c')
  const first = await join('c', 3)
  shut()
  const joining = join('a', 0)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  first.stop()
  await cancel('a')
  open()
  const { types } = await joining
  await expect.poll(() => types).toEqual(['accepted', 'cancelled'])
})

test('one who waits from now on is told to look when the feed begins anew for another', async () => {
  await accept('a', 'b')
  shut()
  const heard: string[] = []
  feed.follow('a', ({ type }) => void heard.push(type))
  await cancel('a')
  await join('b', 3)
  expect(heard).toContain('gap')
})

test('many who join at once share one watch', async () => {
  let watches = 0
  const watch = ledger.watch.bind(ledger)
  ledger.watch = (...args) => {
    watches++
    return watch(...args)
  }
  await accept('a')
  const all = await Promise.all(Array.from({ length: 100 }, () => join('a', 1)))
  await cancel('a')
  await expect.poll(() => all.map(({ types }) => types.length)).toEqual(all.map(() => 1))
  expect(watches).toBe(1)
})

test('what one listener throws is told, and costs the others nothing', async () => {
  const { eventId } = await ledger.find({})
  await feed.followAfter('a', eventId, () => {
    throw new Error('mine')
  })
  const other = await join('a', eventId)
  await accept('a')
  await cancel('a')
  await vi.waitFor(() => expect(other.types).toEqual(['accepted', 'cancelled']))
  expect(thrown).toHaveLength(2)
})

test('who joins when it has ended is not kept waiting, and starts nothing', async () => {
  shut()
  await accept('a')
  const joining = join('a', 0)
  feed.end()
  open()
  await joining
  await join('a', 0)
})
