import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import type { JobRoutesOptions, JobSource } from 'offload/http'
import { jobRoutes } from 'offload/http'
import { offloadErrors, offloadExpress } from 'offload/http/express'
import { offloadFastify } from 'offload/http/fastify'
import { offloadHono } from 'offload/http/hono'
import { nodeHandler, nodeRoutes } from 'offload/http/node'

/** A server, or what stands for one, with the job routes in it. */
export interface Door {
  /** Undefined for the one without a server. */
  readonly url: string | undefined
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Ends the open streams and closes as a server does: when the last connection has ended. */
  close(): Promise<void>
  /** Ends the connections, whatever they wait for. */
  cutOff(): void
}

type Opens = (queue: JobSource, options: JobRoutesOptions) => Promise<Door>

/** Every way in which the job routes are put into a server; what they answer is the same. */
export const doors = {
  fastify: async (queue, options) => {
    const app = Fastify()
    app.register(offloadFastify, { queue, ...options })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return {
      url,
      fetch: (path, init) => fetch(url + path, init),
      close: () => app.close(),
      cutOff: () => app.server.closeAllConnections(),
    }
  },
  express: async (queue, options) => {
    const app = express()
    const routes = offloadExpress(queue, options)
    app.use(routes)
    app.use(offloadErrors)
    return listening(app, routes)
  },
  'express with express.json()': async (queue, options) => {
    const app = express()
    const routes = offloadExpress(queue, options)
    app.use(express.json())
    app.use(routes)
    app.use(offloadErrors)
    return listening(app, routes)
  },
  hono: async (queue, options) => {
    const app = new Hono()
    const routes = offloadHono(queue, options)
    app.use(routes)
    return listening(
      nodeHandler((request) => app.fetch(request)),
      routes,
    )
  },
  node: async (queue, options) => {
    const routes = nodeRoutes(queue, options)
    return listening((req, res) => routes(req, res), routes)
  },
  web: async (queue, options) => {
    const routes = jobRoutes(queue, options)
    return {
      url: undefined,
      fetch: async (path, init) =>
        (await routes(new Request(`http://shop${path}`, init))) ?? new Response(null, { status: 404 }),
      close: async () => routes.close(),
      cutOff() {},
    }
  },
} satisfies Record<string, Opens>

export type DoorName = keyof typeof doors

export const everyDoor = Object.keys(doors) as DoorName[]

/** Those with a server. */
export const everyServer: readonly DoorName[] = everyDoor.filter((name) => name !== 'web')

async function listening(listener: RequestListener, streams: { close(): void }): Promise<Door> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    fetch: (path, init) => fetch(url + path, init),
    close: async () => {
      streams.close()
      await closed(server)
    },
    cutOff: () => server.closeAllConnections(),
  }
}

async function closed(server: Server): Promise<void> {
  server.close()
  server.closeIdleConnections()
  await once(server, 'close')
}
