import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'amqplib'
import type { Backend, BackendOptions } from '../../src/backend.ts'
import { joined } from '../../src/backends/joined.ts'
import { openRabbit } from '../../src/backends/rabbitmq/index.ts'
import { namesOf } from '../../src/backends/rabbitmq/names.ts'
import { openSqlite } from '../../src/backends/sqlite/index.ts'
import { sleep, systemClock } from '../../src/clock.ts'
import type { Job } from '../../src/job/job.ts'
import type { Stores } from './target.ts'

/** Ledgers beside messages of one RabbitMQ, each case under a prefix of its own. @param at host and port */
export function besideRabbit(at: string, name: string, ledgers: Stores, query = ''): Stores {
  let cases = 0
  const pair = async (opening: Promise<Backend>, options: BackendOptions): Promise<Backend> => {
    const { ledger, documents } = await opening
    if (ledger === undefined) throw new Error(`${name} has no ledger`)
    const { broker } = await openRabbit(`${at}?prefix=${name}-${cases}${query}`, false, options)
    return joined(broker, ledger, options, documents)
  }
  return {
    ...ledgers,
    fresh: (options) => {
      cases++
      return pair(ledgers.fresh(options), options)
    },
    again: (options) => pair(ledgers.again(options), options),
    publishAsStranger: (job) => publishAsStranger(at, `${name}-${cases}`, job),
  }
}

/** Where a queue is declared and consumed at the same moment, RabbitMQ 3.10 may refuse a message or end the connection. */
const TRIES = 20

async function publishAsStranger(at: string, prefix: string, job: Job): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await publishOnce(at, prefix, job)
    } catch (error) {
      if (tries === TRIES) throw error
      await sleep(systemClock, 50)
    }
  }
}

/** As a program would that knows nothing of Offload. */
async function publishOnce(at: string, prefix: string, job: Job): Promise<void> {
  const connection = await connect(`amqp://${at}`)
  // What is under way is rejected besides.
  connection.on('error', () => {})
  const channel = await connection.createConfirmChannel()
  channel.on('error', () => {})
  await channel.assertExchange(`${prefix}.jobs`, 'direct', { durable: true })
  const queue = `${prefix}.jobs.${job.queue}`
  await channel.assertQueue(queue, { durable: true, arguments: namesOf(prefix).work(job.queue).arguments })
  channel.sendToQueue(queue, Buffer.from(job.payload), {
    messageId: job.id,
    type: job.task,
    persistent: true,
  })
  await channel.waitForConfirms()
  await connection.close()
}

/** RabbitMQ with no ledger. */
export function rabbitAlone(at: string, name: string, query = ''): Stores {
  let cases = 0
  const open = (options: BackendOptions): Promise<Backend> =>
    openRabbit(`${at}?prefix=${name}-${cases}${query}`, false, { ...options, alone: true })
  return {
    fresh: (options) => {
      cases++
      return open(options)
    },
    again: open,
    isReal: true,
    publishAsStranger: (job) => publishAsStranger(at, `${name}-${cases}`, job),
  }
}

/** Files in a folder of their own. */
export function sqliteStores(): Stores {
  const folder = mkdtempSync(join(tmpdir(), 'offload-conformance-'))
  let files = 0
  const file = (): string => join(folder, `${files}.db`)
  return {
    fresh: (options) => {
      files++
      return openSqlite(file(), options)
    },
    again: (options) => openSqlite(file(), options),
  }
}
