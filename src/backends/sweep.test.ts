import { expect, test } from 'vitest'
import type { BackendOptions } from '../backend.ts'
import { defaultRetention } from '../backend.ts'
import { BackendError } from '../job/errors.ts'
import { silentLogger } from '../log.ts'
import { LeastPowerServer, VirtualClock } from '../testing/index.ts'
import { MemoryLedger, MemoryStore } from './memory/index.ts'
import { Sweep } from './sweep.ts'

test('where the messages of one queue cannot be counted, what another has lost is published again', async () => {
  const clock = new VirtualClock()
  const options: BackendOptions = {
    clock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 5000,
  }
  const server = new LeastPowerServer(1, 0)
  const broker = server.connect()
  const ledger = new MemoryLedger(new MemoryStore(options))
  const counting = broker.depth.bind(broker)
  broker.depth = (queue) =>
    queue === 'bad' ? Promise.reject(new BackendError('BACKEND_CORRUPT', 'no such queue')) : counting(queue)
  const sweep = new Sweep(broker, ledger, options)
  for (const queue of ['bad', 'good']) sweep.follow(queue)
  const job = { id: 'a', task: 't', queue: 'good', payload: '{}', priority: 4, createdAt: 0, maxAttempts: 1 }
  await ledger.record([job])
  sweep.kick()
  await clock.advance(1000)
  expect(server.count('good')).toBe(1)
  server.loseAll()
  await clock.advance(20_000)
  expect(server.count('good')).toBe(1)
  await sweep.stop()
})
