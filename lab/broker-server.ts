import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Claim } from '../src/broker.ts'
import type { Job } from '../src/job/job.ts'
import type { Settlement } from '../src/job/state.ts'
import { LeastPowerServer } from '../src/testing/index.ts'
import { onLines } from './lines.ts'

/** One line of JSON each way. A claim waits until there is a message or it is given up. */
export type Request =
  | { readonly call: number; readonly method: 'enqueue'; readonly jobs: readonly Job[] }
  | { readonly call: number; readonly method: 'claim'; readonly queue: string; readonly limit: number }
  | { readonly call: number; readonly method: 'settle'; readonly settlements: readonly Settlement[] }
  | { readonly call: number; readonly method: 'depth'; readonly queue: string }
  | { readonly call: number; readonly method: 'ping' }
  | { readonly giveUp: number }

export interface Response {
  readonly call: number
  readonly answer?: unknown
  readonly error?: string
}

/** A client that says nothing for so long is gone, and what it held comes back. */
const SILENCE_MS = 3000

// The message server of the lab in a process of its own: `broker-server.ts <port> <seed> [twice]`. When it is killed, it
// forgets every message; `twice`: it delivers every message twice, in any order.
const [port, seed] = process.argv.slice(2).map(Number)
const twice = process.argv[4] === 'twice'
const server = new LeastPowerServer(seed)
createServer(serve).listen(port, '127.0.0.1', () => process.send?.('ready'))
process.once('disconnect', () => process.exit())

function serve(socket: Socket): void {
  const broker = server.connect()
  const claiming = new Map<number, AbortController>()
  const call = async (request: Exclude<Request, { giveUp: number }>): Promise<unknown> => {
    switch (request.method) {
      case 'enqueue':
        return broker.enqueue(twice ? [...request.jobs, ...request.jobs] : request.jobs)
      case 'ping':
        return true
      case 'claim': {
        const abort = new AbortController()
        claiming.set(request.call, abort)
        const want = { limit: request.limit, leaseMs: 0, worker: '', signal: abort.signal }
        const claims: readonly Claim[] = await broker.claim(request.queue, want)
        claiming.delete(request.call)
        return claims
      }
      case 'settle':
        return broker.settle(request.settlements)
      case 'depth':
        return broker.depth(request.queue)
    }
  }
  onLines(socket, (line) => {
    const request = JSON.parse(line) as Request
    if ('giveUp' in request) return claiming.get(request.giveUp)?.abort()
    call(request).then(
      (answer) => socket.write(`${JSON.stringify({ call: request.call, answer })}\n`),
      (error: unknown) => socket.write(`${JSON.stringify({ call: request.call, error: String(error) })}\n`),
    )
  })
  socket.setNoDelay(true)
  socket.setTimeout(SILENCE_MS, () => socket.destroy())
  socket.on('error', () => {})
  socket.on('close', () => void broker.close())
}
