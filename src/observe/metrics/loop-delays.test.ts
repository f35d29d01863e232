import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LoopDelays } from './loop-delays.ts'

test('a loop that was blocked is told to whoever reads, as often as they do', async () => {
  const delays = new LoopDelays()
  delays.begin()
  await wait(50)
  for (const until = performance.now() + 300; performance.now() < until; );
  await wait(50)
  const { worst } = delays.read()
  expect(worst).toBeGreaterThan(0.2)
  expect(delays.read().worst).toBeGreaterThanOrEqual(worst)
  expect(delays.read().p50).toBeLessThanOrEqual(delays.read().p99)
  delays.end()
})
