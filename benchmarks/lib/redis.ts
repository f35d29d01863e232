import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { System } from './system.ts'

/** What is measured of a server, whichever system is on it. */
export function server(port: number): Required<Pick<System, 'bytes' | 'serverCpu'>> {
  return { bytes: () => usedBytes(port), serverCpu: () => usedCpu(port) }
}

/** Asks a server on a connection of its own, so that nothing of a measurement's is in the way. */
async function ask<Answer>(port: number, question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(port, '127.0.0.1')
  try {
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}

const field = (info: string, name: string): number =>
  Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? Number.NaN)

/** The memory that a server's data takes, the tables of its keys with it, in bytes. Buffers of clients are left out. */
export function usedBytes(port: number): Promise<number> {
  return ask(port, async (redis) => {
    const info = await redis.info('memory')
    return field(info, 'used_memory') - field(info, 'mem_clients_normal')
  })
}

/** What a server has computed since its start, in microseconds. */
function usedCpu(port: number): Promise<number> {
  return ask(port, async (redis) => {
    const info = await redis.info('cpu')
    return (field(info, 'used_cpu_user') + field(info, 'used_cpu_sys')) * 1e6
  })
}

/** How many keys there are, and some of them with the bytes they take. */
export function keysOf(port: number): Promise<{ count: number; some: string[] }> {
  return ask(port, async (redis) => {
    const [, names] = await redis.scan(0, 'COUNT', 1000)
    const bytesOf = (name: string): Promise<number | null> => redis.memory('USAGE', name, 'SAMPLES', 0)
    const some = names.sort().slice(0, 20)
    return {
      count: await redis.dbsize(),
      some: await Promise.all(some.map(async (name) => `${name} ${await bytesOf(name)}`)),
    }
  })
}

/** Connections besides the one that asks. */
export function connectionsOf(port: number): Promise<number> {
  return ask(
    port,
    async (redis) =>
      String(await redis.client('LIST'))
        .trim()
        .split('\n').length - 1,
  )
}

/** Nothing is left of the last measurement, in the memory or in the file. */
export function clear(port: number): Promise<void> {
  return ask(port, async (redis) => {
    await redis.flushall()
    if (field(await redis.info('persistence'), 'aof_enabled') !== 1) return
    await redis.bgrewriteaof()
    const isRewriting = async (): Promise<boolean> => {
      const info = await redis.info('persistence')
      return field(info, 'aof_rewrite_in_progress') + field(info, 'aof_rewrite_scheduled') > 0
    }
    while (await isRewriting()) await wait(10)
  })
}
