import Fastify from 'fastify'
import { offload } from 'offload'
import type { CorsOptions } from 'offload/http'
import { offloadFastify } from 'offload/http/fastify'
import { tasks } from './tasks.ts'

/** What a server process is told. */
export interface ServerOptions {
  readonly file: string
  /** @default any that is free */
  readonly port?: number
  readonly cors?: CorsOptions
}

/** A server in a process of its own; its parent is told the port. */
const { file, port = 0, cors }: ServerOptions = JSON.parse(process.argv[2] ?? '')
const [echo, hold] = tasks
const queue = offload({ url: `sqlite:${file}`, tasks })
const app = Fastify()
app.register(offloadFastify, {
  queue,
  accept: { '/echo': { task: echo, idempotency: 'required' }, '/hold': hold },
  ...(cors === undefined ? {} : { cors }),
})
app.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html><title>shop</title>'))
await app.listen({ port, host: '127.0.0.1' })
process.once(
  'SIGTERM',
  () =>
    void app
      .close()
      .then(() => queue.close())
      .then(() => process.disconnect()),
)
process.once('disconnect', () => process.exit())
process.send?.((app.server.address() as { port: number }).port)
