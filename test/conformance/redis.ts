import { openRedis } from '../../src/backends/redis/index.ts'
import type { Stores } from './target.ts'

/** Stores of one Redis, each under a prefix of its own: in a cluster they spread over the masters. @param at hosts and options */
export function redisStores(hosts: string, query = ''): Stores {
  let cases = 0
  const url = (): string => `${hosts}?prefix=case-${cases}${query}`
  return {
    fresh: (options) => {
      cases++
      return openRedis(url(), false, options)
    },
    again: (options) => openRedis(url(), false, options),
    isRemote: true,
  }
}
