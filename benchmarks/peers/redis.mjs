import { Redis } from 'ioredis'

/** The memory that a server's data takes. */
export async function usedBytes(port) {
  const redis = new Redis(port, '127.0.0.1')
  const info = await redis.info('memory')
  redis.disconnect()
  return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1])
}
