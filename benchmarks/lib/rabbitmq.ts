import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Channel } from 'amqplib'
import { connect } from 'amqplib'
import type { System } from './system.ts'

/** Of the clock that Linux counts a process's time with. */
const TICKS_A_SECOND = 100
/** A queue that did not grow for so long has all its messages. */
const QUIET_MS = 500

/** What is measured of a server, whichever system is on it. @param pid of the Erlang VM */
export function server(pid: number): Required<Pick<System, 'serverCpu'>> {
  return { serverCpu: async () => usedCpu(pid) }
}

/** One client of the peers takes no user for granted. */
export const urlOf = (port: number): string => `amqp://guest:guest@127.0.0.1:${port}`

/** The queues that a measurement makes: by its own name, or Offload's with that name as prefix. */
const queuesOf = (name: string): readonly string[] => [name, workQueue(name), `${name}.dead.default`]

export const workQueue = (prefix: string): string => `${prefix}.jobs.default`

/** What every peer declares. */
export function shapeOf(quorum: boolean): { durable: true; arguments: Record<string, unknown> } {
  return { durable: true, arguments: { 'x-queue-type': quorum ? 'quorum' : 'classic' } }
}

/** Asks a server on a connection of its own, so that nothing of a measurement's is in the way. */
async function ask<Answer>(port: number, question: (channel: Channel) => Promise<Answer>): Promise<Answer> {
  const connection = await connect(urlOf(port))
  try {
    return await question(await connection.createChannel())
  } finally {
    await connection.close()
  }
}

/** Nothing is left of the last measurement. */
export function clear(port: number): Promise<void> {
  return ask(port, async (channel) => {
    for (const queue of ['warm', 'run'].flatMap(queuesOf)) await channel.deleteQueue(queue)
  })
}

/** Resolves when the queue has stopped to grow. */
export function filled(port: number, queue: string): Promise<void> {
  return ask(port, async (channel) => {
    let [count, since] = [0, performance.now()]
    while (performance.now() - since < QUIET_MS) {
      await wait(50)
      const { messageCount } = await channel.checkQueue(queue)
      if (messageCount === count) continue
      count = messageCount
      since = performance.now()
    }
  })
}

/** What a process has computed since its start, in microseconds. */
function usedCpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND) * 1e6
}
