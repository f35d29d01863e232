import { findRedis } from './programs.ts'
import { RedisServer } from './server.ts'

/** Nothing is kept on disk. */
export const IN_MEMORY: readonly string[] = ['--save', '', '--appendonly', 'no']

export interface RedisOptions {
  /** A TLS port beside the plain one. */
  readonly tls?: boolean
}

/** Starts a Redis server of our own on a free port of loopback; undefined where there is none and none can be installed. */
export async function startRedis(
  settings: readonly string[] = IN_MEMORY,
  options: RedisOptions = {},
): Promise<RedisServer | undefined> {
  const program = findRedis()
  return program === undefined ? undefined : RedisServer.start({ program, settings, ...options })
}
