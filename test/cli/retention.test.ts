import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defaultRetention } from '../../src/backend.ts'
import { openBackend } from '../../src/backends/registry.ts'
import { backendOptions } from '../../src/cli/store.ts'
import { silentLogger } from '../../src/log.ts'
import { VirtualClock } from '../../src/testing/index.ts'

const DAY = 86_400_000

/** Keeps a store with one dead letter open for so many days; answers how many jobs it has then. */
async function leftAfter(days: number, retention: typeof defaultRetention): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'offload-cli-retention-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const clock = new VirtualClock()
  const options = { ...backendOptions(silentLogger), clock, retention }
  const { ledger, close } = await openBackend(`sqlite:${join(folder, 'jobs.db')}`, undefined, options)
  if (ledger === undefined) throw new Error('a file remembers jobs')
  const createdAt = clock.now()
  const job = { id: 'a', task: 't', queue: 'q', payload: 'null', priority: 4, createdAt, maxAttempts: 1 }
  await ledger.record([{ ...job, deadline: createdAt - 1 }])
  expect((await ledger.find({ state: 'dead' })).jobs).toHaveLength(1)
  await clock.jump(days * DAY)
  // Each advance lets the store tidy once more.
  for (let tidied = 0; tidied < 5; tidied++) await clock.advance(10_000)
  const { jobs } = await ledger.find({})
  await close()
  return jobs.length
}

test('nothing is forgotten because a command looks, however long it does', async () => {
  const { retention } = backendOptions(silentLogger)
  expect(await leftAfter(365 * 50, retention)).toBe(1)
  expect(await leftAfter(31, defaultRetention)).toBe(0)
})
