import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { onArrival } from './alone-moves.ts'
import { namesOf, rungOf } from './names.ts'

const SHORTEST_MS = 125
const LONGEST_MS = 125 * 2 ** 20

const anyName = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,20}$/),
  fc.constantFrom('a', 'a%', 'a%25', 'a\n', 'a%0A', 'a%0a', '\u0085', '%C2%85', 'jobs', 'dead.a', '125'),
)

describe('the names of one prefix', () => {
  const names = namesOf('shop')

  test('begin with it', () => {
    expect(names.jobs).toBe('shop.jobs')
    expect(names.dead).toBe('shop.dead')
    expect(names.work('mail').name).toBe('shop.jobs.mail')
    expect(names.deadLetters('mail').name).toBe('shop.dead.mail')
    expect(names.delay('mail', 125).name).toBe('shop.delay.mail.125')
  })

  test('are never those of another queue, of its dead letters or of a delay', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyName, { maxLength: 8 }), (queues) => {
        const all = [
          ...queues.flatMap((queue) => [
            names.work(queue).name,
            names.deadLetters(queue).name,
            ...[0, 1, 2].map((level) => names.delay(queue, SHORTEST_MS * 2 ** level).name),
          ]),
        ]
        expect(new Set(all).size).toBe(all.length)
      }),
    )
  })

  test('have no control character, which the server takes out, and fit what it allows', () => {
    fc.assert(
      fc.property(anyName, (queue) => {
        expect(names.work(queue).name).not.toMatch(/\p{Cc}/u)
      }),
    )
    const longest = namesOf('p'.repeat(60)).deadLetters('q'.repeat(120)).name
    expect(Buffer.byteLength(longest)).toBeLessThanOrEqual(255)
  })

  test('lead from each queue to its dead letters, and from a delay back to the jobs', () => {
    expect(names.work('mail').arguments).toEqual({
      'x-queue-type': 'quorum',
      'x-overflow': 'reject-publish',
      'x-dead-letter-strategy': 'at-least-once',
      'x-dead-letter-exchange': 'shop.dead',
      'x-dead-letter-routing-key': 'mail',
    })
    expect(names.deadLetters('mail').arguments).toEqual({ 'x-queue-type': 'quorum' })
    expect(names.delay('mail', 250).arguments).toEqual({
      'x-queue-type': 'quorum',
      'x-overflow': 'reject-publish',
      'x-dead-letter-strategy': 'at-least-once',
      'x-message-ttl': 250,
      'x-dead-letter-exchange': 'shop.jobs',
      'x-dead-letter-routing-key': 'mail',
    })
  })
})

describe('the ladder of delays', () => {
  const anyWait = fc.oneof(
    fc.integer({ min: -1000, max: 1000 }),
    fc.integer({ min: 0, max: 400 * 86_400_000 }),
    fc.integer({ min: 0, max: 21 }).map((level) => SHORTEST_MS * 2 ** level),
    fc.integer({ min: 0, max: 21 }).map((level) => SHORTEST_MS * 2 ** level - 1),
  )

  test('has no rung that is longer than what is left, but the shortest', () => {
    fc.assert(
      fc.property(anyWait, (leftMs) => {
        const rung = rungOf(leftMs)
        if (rung !== SHORTEST_MS) expect(rung).toBeLessThanOrEqual(leftMs)
        if (rung !== LONGEST_MS) expect(rung * 2).toBeGreaterThan(leftMs)
      }),
    )
  })

  test('has few rungs, each a queue whose name and time to live the server takes', () => {
    const rungs = new Set<number>()
    fc.assert(
      fc.property(anyWait, (leftMs) => void rungs.add(rungOf(leftMs))),
      { numRuns: 2000 },
    )
    expect(rungs.size).toBeLessThanOrEqual(21)
    for (const rung of rungs) expect(Number.isInteger(rung) && rung < 2 ** 32).toBe(true)
  })

  test('is climbed down until the job is due, and ends not before it and one short rung after it at most', () => {
    fc.assert(
      fc.property(anyWait, (leftMs) => {
        const runAt = 1_000_000_000_000 + leftMs
        const job = {
          id: 'a',
          task: 't',
          queue: 'q',
          payload: '1',
          priority: 4,
          createdAt: 0,
          maxAttempts: 1,
          runAt,
        }
        let now = 1_000_000_000_000
        let hops = 0
        for (let next = onArrival(job, 0, now); next !== undefined; next = onArrival(job, 0, now)) {
          expect(next).toEqual({ to: 'queue', attempts: 0, runAt })
          now += rungOf(runAt - now)
          hops++
        }
        if (hops > 0) expect(now - runAt).toBeGreaterThanOrEqual(-20)
        if (hops > 0) expect(now - runAt).toBeLessThan(SHORTEST_MS)
        expect(hops).toBeLessThanOrEqual(21 + leftMs / LONGEST_MS)
      }),
    )
  })
})
