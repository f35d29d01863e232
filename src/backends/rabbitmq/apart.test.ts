import { expect, test } from 'vitest'
import type { Job } from '../../job/job.ts'
import { publishApart } from './apart.ts'
import type { Sent } from './sender.ts'

const job = (id: string, bytes: number): Job => ({
  id,
  task: 't',
  queue: 'q',
  payload: 'x'.repeat(bytes),
  priority: 4,
  createdAt: 0,
  maxAttempts: 1,
})

test('a pack that is too long is taken apart once: only what is too long alone is refused', async () => {
  const calls: string[][] = []
  const publish = async (packs: readonly (readonly Job[])[]): Promise<Sent[]> => {
    calls.push(packs.map((pack) => pack.map(({ id }) => id).join('+')))
    return packs.map((pack) => {
      if (pack.some(({ id }) => id === 'refused')) return 'refused'
      return pack.reduce((sum, { payload }) => sum + payload.length, 0) > 100 ? 'tooLong' : 'confirmed'
    })
  }
  const [a, b, long, c, refused, alone] = [
    job('a', 60),
    job('b', 60),
    job('long', 200),
    job('c', 10),
    job('refused', 1),
    job('alone', 300),
  ] as const
  const verdicts = await publishApart([[a, b], [long, c], [refused], [alone]], publish)
  expect(calls).toEqual([
    ['a+b', 'long+c', 'refused', 'alone'],
    ['a', 'b', 'long', 'c'],
  ])
  expect([...verdicts].map(([{ id }, verdict]) => [id, verdict])).toEqual([
    ['a', 'confirmed'],
    ['b', 'confirmed'],
    ['long', 'tooLong'],
    ['c', 'confirmed'],
    ['refused', 'refused'],
    ['alone', 'tooLong'],
  ])
})
