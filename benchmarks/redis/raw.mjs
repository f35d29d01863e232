import { Redis } from 'ioredis'
import { server } from '../lib/redis.ts'

const BATCH = 1000
const scripts = {
  push: "return redis.call('RPUSH', KEYS[1], unpack(ARGV))",
  pop: "return redis.call('LPOP', KEYS[1], ARGV[1])",
}

/**
 * The floor: what ioredis and the server alone cost. One list of payloads; what is added in a turn of the event loop is one EVALSHA,
 * work is another that pops a thousand at once, and a BLPOP when the list is empty. No lease, no state, no id, no event.
 *
 * @type {import('../lib/system.ts').Open}
 */
export async function open({ name, port }) {
  const redis = new Redis(port, '127.0.0.1')
  const [push, pop] = await Promise.all(Object.values(scripts).map((text) => redis.script('LOAD', text)))
  const write = (texts) => redis.evalsha(push, 1, name, ...texts)
  const waiters = []
  let closed = false
  let calls = []
  const flush = () => {
    for (let at = 0; at < calls.length; at += BATCH) void send(calls.slice(at, at + BATCH))
    calls = []
  }
  const send = async (batch) => {
    try {
      await write(batch.map(({ text }) => text))
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
  return {
    add: (payload) =>
      new Promise((resolve, reject) => {
        if (calls.push({ text: JSON.stringify(payload), resolve, reject }) === 1) process.nextTick(flush)
      }),
    addMany: (payloads) => write(payloads.map((payload) => JSON.stringify(payload))),
    async work(_, { onStart, onDone }) {
      const waiter = redis.duplicate()
      waiters.push(waiter)
      try {
        for (;;) {
          const texts = (await redis.evalsha(pop, 1, name, BATCH)) ?? (await waiter.blpop(name, 1))?.slice(1)
          for (const text of texts ?? []) onStart(JSON.parse(text))
          for (const _ of texts ?? []) onDone()
        }
      } catch (error) {
        if (!closed) throw error
      }
    },
    ...server(port),
    async close() {
      closed = true
      for (const one of [redis, ...waiters]) one.disconnect()
    },
  }
}
