import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Batcher } from './batch.ts'

interface Sent {
  readonly items: readonly number[]
  answer(): void
}

/** What is sent, each to be answered by hand: an item with its double. */
function batcher(
  overlaps: boolean,
  max = 1000,
): { readonly batches: Batcher<number, number>; readonly sent: Sent[] } {
  const sent: Sent[] = []
  const send = (items: readonly number[]): Promise<readonly number[]> =>
    new Promise((resolve) => {
      sent.push({ items, answer: () => resolve(items.map((item) => 2 * item)) })
    })
  return { batches: new Batcher(max, send, () => overlaps), sent }
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await turn()
}

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

describe('a batcher', () => {
  test('sends what was added in one turn together, and gives each its answer', async () => {
    const { batches, sent } = batcher(false)
    const answers = Promise.all(numbers(100).map((n) => batches.add(n)))
    await settled()
    expect(sent.map(({ items }) => items)).toEqual([numbers(100)])
    sent[0]?.answer()
    expect(await answers).toEqual(numbers(100).map((n) => 2 * n))
  })

  test('sends two halves, which take turns from then on, where the receiver works while it sends', async () => {
    const { batches, sent } = batcher(true)
    const first = numbers(100).map((n) => batches.add(n))
    await settled()
    expect(sent.map(({ items }) => items)).toEqual([numbers(50), numbers(100).slice(50)])
    sent[0]?.answer()
    expect(await Promise.all(first.slice(0, 50))).toEqual(numbers(50).map((n) => 2 * n))
    for (const n of numbers(50)) void batches.add(n)
    await settled()
    expect(sent.slice(2).map(({ items }) => items.length)).toEqual([50])
  })

  test('sends a few in one piece all the same', async () => {
    const { batches, sent } = batcher(true)
    for (const n of numbers(10)) void batches.add(n)
    await settled()
    expect(sent.map(({ items }) => items.length)).toEqual([10])
  })

  test('keeps what was added together in one piece, up to what goes into one call', async () => {
    const { batches, sent } = batcher(false, 10)
    const answers = Promise.all([batches.add(1), batches.addAll(numbers(10)), batches.add(2)])
    await settled()
    for (const each of sent) each.answer()
    await settled()
    for (const each of sent) each.answer()
    expect(sent.map(({ items }) => items)).toEqual([[1], numbers(10), [2]])
    expect(await answers).toEqual([2, numbers(10).map((n) => 2 * n), 4])
  })
})
