import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Accepted, Broker, Claim, Depth, Features } from '../src/broker.ts'
import { BackendError } from '../src/job/errors.ts'
import type { Request, Response } from './broker-server.ts'
import { onLines } from './lines.ts'

const features: Features = {
  acknowledge: 'each',
  redeliver: 'connection',
  delayMs: 0,
  priorities: 1,
  ordered: false,
  dedupMs: 0,
  fenced: false,
  maxMessageBytes: 1_048_576,
  maxBatch: 100,
  exactDepth: true,
}

/** The server is asked for a sign of life so often … */
const PING_MS = 300
/** … and a connection on which nothing was heard for so long is given up, whatever the network says of it. */
const SILENCE_MS = 1500

interface Call {
  resolve(answer: unknown): void
  reject(error: Error): void
}

/**
 * A connection to the lab's message server; made anew by the next call when it is lost.
 * @param isDeaf never notices that a connection is dead: a bug put in on purpose
 */
export function connectTo(port: number, isDeaf = false): Broker {
  const calls = new Map<number, Call>()
  let socket: Socket | undefined
  let last = 0

  const open = (): Socket => {
    if (socket !== undefined) return socket
    const opened = connect(port, '127.0.0.1')
    let heardAt = performance.now()
    const pulse = setInterval(() => {
      if (performance.now() - heardAt > SILENCE_MS && !isDeaf) opened.destroy()
      else opened.write('{"call":0,"method":"ping"}\n')
    }, PING_MS).unref()
    opened.on('error', () => {})
    opened.on('data', () => {
      heardAt = performance.now()
    })
    opened.once('close', () => {
      clearInterval(pulse)
      if (socket === opened) socket = undefined
      for (const { reject } of calls.values()) reject(gone())
      calls.clear()
    })
    onLines(opened, (line) => {
      const { call, answer, error } = JSON.parse(line) as Response
      const waiting = calls.get(call)
      calls.delete(call)
      if (error === undefined) waiting?.resolve(answer)
      else waiting?.reject(new BackendError('BACKEND_UNAVAILABLE', error))
    })
    socket = opened
    return opened
  }
  const send = (request: Request): void => void open().write(`${JSON.stringify(request)}\n`)
  const call = <T>(make: (number: number) => Request): Promise<T> =>
    new Promise((resolve, reject) => {
      const number = ++last
      calls.set(number, { resolve: resolve as Call['resolve'], reject })
      send(make(number))
    })

  return {
    name: 'lab',
    features,
    enqueue: (jobs) => call<readonly Accepted[]>((number) => ({ call: number, method: 'enqueue', jobs })),
    async claim(queue, { limit, signal }) {
      let number = 0
      const giveUp = (): void => send({ giveUp: number })
      const claiming = call<readonly Claim[]>((one) => {
        number = one
        return { call: one, method: 'claim', queue, limit }
      })
      signal.addEventListener('abort', giveUp, { once: true })
      if (signal.aborted) giveUp()
      return claiming.finally(() => signal.removeEventListener('abort', giveUp))
    },
    settle: (settlements) =>
      call<readonly boolean[]>((number) => ({ call: number, method: 'settle', settlements })),
    renew: async (beats) => beats.map(() => 'held'),
    depth: (queue) => call<Depth>((number) => ({ call: number, method: 'depth', queue })),
    async close() {
      socket?.destroy()
    },
  }
}

function gone(): BackendError {
  return new BackendError('BACKEND_UNAVAILABLE', 'the connection to the message server was lost')
}
