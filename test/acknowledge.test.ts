import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { BackendOptions } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { MemoryLedger, MemoryStore } from '../src/backends/memory/index.ts'
import type { Broker, Claim } from '../src/broker.ts'
import type { Job } from '../src/job/job.ts'
import type { Settlement } from '../src/job/state.ts'
import { silentLogger } from '../src/log.ts'
import { LeastPowerServer, VirtualClock } from '../src/testing/index.ts'

const signal = AbortSignal.timeout(20_000)

/** A pair whose broker acknowledges only when told to. */
function slow() {
  const warned: string[] = []
  const options: BackendOptions = {
    clock: new VirtualClock(),
    logger: { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) },
    retention: defaultRetention,
    timeoutMs: 5000,
  }
  const server = new LeastPowerServer(1, 0)
  const connection = server.connect()
  const settling: { settlements: readonly Settlement[]; end: (error?: Error) => Promise<void> }[] = []
  const broker: Broker = {
    name: connection.name,
    features: connection.features,
    enqueue: (jobs) => connection.enqueue(jobs),
    claim: (queue, want) => connection.claim(queue, want),
    settle: (settlements) =>
      new Promise((resolve, reject) => {
        const end = async (error?: Error): Promise<void> => {
          if (error === undefined) resolve(await connection.settle(settlements))
          else reject(error)
          await quiet()
        }
        settling.push({ settlements, end })
      }),
    renew: (beats, leaseMs) => connection.renew(beats, leaseMs),
    depth: (queue) => connection.depth(queue),
    close: () => connection.close(),
  }
  const ledger = new MemoryLedger(new MemoryStore(options))
  const pair = joined(broker, ledger, options)
  let numbers = 0
  const enqueue = (count: number): Promise<unknown> =>
    pair.broker.enqueue(Array.from({ length: count }, () => job(`job-${++numbers}`)))
  const claim = (limit: number): Promise<readonly Claim[]> =>
    pair.broker.claim('q', { limit, leaseMs: 30_000, worker: 'w', signal })
  return { warned, server, ledger, pair, settling, enqueue, claim }
}

function job(id: string): Job {
  return { id, task: 'test', queue: 'q', payload: '{}', priority: 4, createdAt: 0, maxAttempts: 3 }
}

async function quiet(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await turn()
}

test('claims are handed over before their messages are acknowledged', async () => {
  const { pair, settling, enqueue, claim } = slow()
  await enqueue(1)
  expect((await claim(1)).map(({ job }) => job.id)).toEqual(['job-1'])
  expect(settling).toHaveLength(1)
  await settling[0]?.end()
  await pair.close()
})

test('one acknowledgement is under way; what comes meanwhile goes with the next, in order', async () => {
  const { pair, settling, enqueue, claim } = slow()
  await enqueue(3)
  for (let n = 0; n < 3; n++) await claim(1)
  expect(settling).toHaveLength(1)
  await settling[0]?.end()
  expect(settling.map(({ settlements }) => settlements.length)).toEqual([1, 2])
  await settling[1]?.end()
  await pair.close()
})

test('a thousand that wait for their acknowledgement are enough: the next claim waits', async () => {
  const { pair, settling, enqueue, claim } = slow()
  await enqueue(1200)
  await quiet()
  for (let taken = 0; taken < 1100; ) taken += (await claim(100)).length
  let came = false
  const next = claim(100).then(() => {
    came = true
  })
  await quiet()
  expect(came).toBe(false)
  for (let nth = 0; !came && nth < settling.length; nth++) await settling[nth]?.end()
  await next
  for (const { end } of settling) await end()
  await pair.close()
})

test('closing waits for the acknowledgements under way', async () => {
  const { pair, settling, server, enqueue, claim } = slow()
  await enqueue(1)
  await claim(1)
  let isClosed = false
  const closing = pair.close().then(() => {
    isClosed = true
  })
  await quiet()
  expect(isClosed).toBe(false)
  await settling[0]?.end()
  await closing
  expect(server.count('q')).toBe(0)
})

test('an acknowledgement that fails is told, and the message finds nothing when it comes again', async () => {
  const { pair, settling, server, warned, enqueue, claim } = slow()
  await enqueue(1)
  await claim(1)
  await settling[0]?.end(new Error('gone'))
  expect(warned.join()).toContain('could not be acknowledged')
  server.dropConnections()
  await enqueue(1)
  expect((await claim(2)).map(({ job }) => job.id)).toEqual(['job-2'])
  const end = settling[1]?.end()
  await end
  await pair.close()
})

test('a message comes again when the ledger could not be asked', async () => {
  const { pair, settling, server, ledger, enqueue, claim } = slow()
  await enqueue(1)
  await quiet()
  const ask = ledger.claim
  ledger.claim = () => Promise.reject(new Error('busy'))
  await expect(claim(1)).rejects.toThrow('busy')
  ledger.claim = ask
  await settling[0]?.end()
  expect(server.count('q')).toBe(1)
  expect((await claim(1)).map(({ job }) => job.id)).toEqual(['job-1'])
  await settling[1]?.end()
  await pair.close()
})
