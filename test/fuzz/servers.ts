import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import type { Offload } from 'offload'
import type { JobRoutesOptions } from 'offload/http'
import { offloadErrors, offloadExpress } from 'offload/http/express'
import { offloadFastify } from 'offload/http/fastify'
import { offloadHono } from 'offload/http/hono'
import { nodeHandler, nodeRoutes } from 'offload/http/node'

export interface FuzzServer {
  readonly port: number
  close(): Promise<unknown>
}

type Start = (queue: Offload, options: JobRoutesOptions) => Promise<FuzzServer>

/** The same routes behind every adapter, each on a port of its own. */
export const servers: Readonly<Record<string, Start>> = {
  'node:http': (queue, options) => listening(createServer(nodeRoutes(queue, options))),
  async Fastify(queue, options) {
    const app = Fastify()
    app.register(offloadFastify, { queue, ...options })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
  },
  Express: (queue, options) =>
    listening(createServer(express().use(offloadExpress(queue, options)).use(offloadErrors))),
  'Express after express.json()': (queue, options) =>
    listening(
      createServer(
        express()
          .use(express.json({ limit: options.bodyBytes }))
          .use(offloadExpress(queue, options))
          .use(offloadErrors),
      ),
    ),
  Hono: (queue, options) => {
    const app = new Hono().use(offloadHono(queue, options))
    return listening(createServer(nodeHandler((request) => app.fetch(request), { bodyBytes: 1_000_000 })))
  },
}

async function listening(server: Server): Promise<FuzzServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      return closed
    },
  }
}
