import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LoopDelays } from './loop-delays.ts'

async function block(): Promise<void> {
  await wait(50)
  for (const until = performance.now() + 300; performance.now() < until; );
  await wait(50)
}

test('a loop that was blocked is told to whoever reads, as often as they do', async () => {
  const delays = new LoopDelays()
  delays.begin()
  await block()
  const { worst } = delays.read()
  expect(worst).toBeGreaterThan(0.2)
  expect(delays.read().worst).toBeGreaterThanOrEqual(worst)
  expect(delays.read().p50).toBeLessThanOrEqual(delays.read().p99)
  delays.end()
})

test('it is told for as long as it must be, and then forgotten', async () => {
  const delays = new LoopDelays(700)
  delays.begin()
  await block()
  const blockedAt = performance.now()
  while (delays.read().worst > 0.2) {
    expect(performance.now() - blockedAt).toBeLessThan(10_000)
    await wait(20)
  }
  expect(performance.now() - blockedAt).toBeGreaterThan(600)
  delays.end()
})
