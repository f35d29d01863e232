import { findValkey } from './programs.ts'
import { IN_MEMORY } from './redis.ts'
import { RedisServer } from './server.ts'

/** Starts a Valkey server of our own, as `startRedis()` does; undefined where there is none and none can be installed. It speaks no TLS. */
export async function startValkey(settings: readonly string[] = IN_MEMORY): Promise<RedisServer | undefined> {
  const program = findValkey()
  return program === undefined ? undefined : RedisServer.start({ program, settings })
}
