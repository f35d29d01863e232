import { setImmediate as turn } from 'node:timers/promises'
import { offload, task } from 'offload'
import { problemResponse } from 'offload/http'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { BackendOptions } from '../src/backend.ts'
import { openMemory } from '../src/backends/memory/index.ts'
import { silentLogger } from '../src/log.ts'

const work = task('work', { input: z.number(), run: () => {} })

/** A queue on a backend that takes jobs while `isThere`, and else says nothing. */
function open() {
  const door = { isThere: true, asked: 0 }
  const url = {
    async open(options: BackendOptions) {
      const { broker, ...rest } = openMemory(options)
      return {
        ...rest,
        broker: {
          ...broker,
          async enqueue(...call: Parameters<typeof broker.enqueue>) {
            door.asked++
            if (!door.isThere) await new Promise(() => {})
            return broker.enqueue(...call)
          },
        },
      }
    },
  }
  return { door, queue: offload({ url, tasks: [work], logger: silentLogger, limits: { timeout: '200ms' } }) }
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'accepted',
    ({ code }: { code: string }) => code,
  )

test('while a backend does not answer, one call tries it and the others are refused at once', async () => {
  const { door, queue } = open()
  await queue.enqueue(work, 0)
  door.isThere = false
  expect(await codeOf(queue.enqueue(work, 1))).toBe('BACKEND_UNAVAILABLE')
  const asked = door.asked
  const trying = queue.enqueue(work, 2)
  const refused = await queue.enqueue(work, 3).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'BACKEND_UNAVAILABLE', retryAfterMs: 1000 })
  expect((refused as Error).message).toContain('nothing was accepted')
  expect(problemResponse(refused).headers.get('retry-after')).toBe('1')
  expect(door.asked).toBeLessThanOrEqual(asked + 1)
  expect(await codeOf(trying)).toBe('BACKEND_UNAVAILABLE')
  door.isThere = true
  await vi.waitFor(async () => expect(await codeOf(queue.enqueue(work, 4))).toBe('accepted'))
  expect(await Promise.all([5, 6, 7].map((n) => codeOf(queue.enqueue(work, n))))).toEqual(
    Array(3).fill('accepted'),
  )
})

test('calls that wait behind one that is not answered are refused with it, and were not sent', async () => {
  const { door, queue } = open()
  await queue.ready()
  door.isThere = false
  const calls: Promise<string>[] = []
  for (let n = 0; n < 5; n++) {
    calls.push(codeOf(queue.enqueue(work, n)))
    for (let turns = 0; turns < 8; turns++) await turn() // each call becomes a batch of its own
  }
  expect(await Promise.all(calls)).toEqual(Array(5).fill('BACKEND_UNAVAILABLE'))
  expect(door.asked).toBe(2)
})
