import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { Telling } from './faults/telling.ts'
import type { TrioOptions } from './rabbitmq/trio.ts'
import { Trio } from './rabbitmq/trio.ts'
import { needs } from './servers.ts'

const telling = new Telling('rabbitmq')

/** 30 for the figures. */
const rounds = Number(process.env.OFFLOAD_FAULT_ROUNDS ?? 1)
/** How long the server is stopped in the middle of everything: 40 for the figures. */
const stoppedMs = Number(process.env.OFFLOAD_FAULT_STOPPED_SECONDS ?? 3) * 1000
const WORK = 90
const TIMEOUT_MS = 90_000
const ROUND_MS = 60_000

const rabbit = await needs('rabbitmq', startRabbit)
const redis = await needs('redis', startRedis)

describe.skipIf(rabbit === undefined || redis === undefined)('RabbitMQ under load', () => {
  const server = rabbit as NonNullable<typeof rabbit>
  const loaded = (options?: TrioOptions): Trio => {
    const trio = new Trio(server, (redis as NonNullable<typeof redis>).url, options)
    trio.work()
    trio.load()
    return trio
  }

  test(
    'may be restarted at a third and at half of the work: nothing accepted is lost',
    async () => {
      await using trio = loaded()
      for (let round = 0; round < rounds; round++) {
        for (const part of [1 / 3, 1 / 6]) {
          await trio.flows(WORK * part)
          await server.restart()
          await trio.flowsAgain()
        }
        await trio.flows(WORK / 2)
      }
      await trio.survived(telling, `restarted ${2 * rounds} times`)
    },
    2 * rounds * ROUND_MS + TIMEOUT_MS,
  )

  test(
    'may be killed: nothing accepted is lost',
    async () => {
      await using trio = loaded()
      for (let round = 0; round < rounds; round++) {
        await trio.flows()
        await server.kill()
        await server.restart()
        await trio.flowsAgain()
      }
      await trio.flows()
      await trio.survived(telling, `killed ${rounds} times`)
    },
    rounds * ROUND_MS + TIMEOUT_MS,
  )

  test(
    'may be frozen: beside a ledger jobs are accepted meanwhile, alone calls are refused, and all goes on by itself',
    async () => {
      await using trio = loaded()
      const { none, sqlite, redis } = trio.scenes
      await trio.flows()
      await server.pause()
      await wait(stoppedMs)
      server.continue()
      await trio.flowsAgain()
      await trio.flows()
      expect(none.refusals.get('BACKEND_UNAVAILABLE')).toBeGreaterThan(0)
      expect([...sqlite.refusals, ...redis.refusals]).toEqual([])
      await trio.survived(telling, `frozen for ${stoppedMs} ms`)
    },
    stoppedMs + TIMEOUT_MS,
  )
})
