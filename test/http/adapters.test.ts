import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { accepted, acceptedFor, jobRoutes, problemResponse } from 'offload/http'
import { offloadErrors, offloadExpress } from 'offload/http/express'
import { offloadFastify } from 'offload/http/fastify'
import { offloadHono } from 'offload/http/hono'
import { nodeHandler, nodeRoutes } from 'offload/http/node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { everyDoor, everyServer } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold } from './tasks.ts'

const accept = { '/echo': echo }

async function urlOf(server: ReturnType<typeof createServer>): Promise<string> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('another method of a job is a 405 with those that are allowed', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      const refused: [string, string, string][] = [
        [`/jobs/${id}`, 'DELETE', 'GET, HEAD'],
        [`/jobs/${id}/events`, 'POST', 'GET, HEAD'],
        [`/jobs/${id}/cancel`, 'GET', 'POST'],
      ]
      for (const [path, method, allow] of refused) {
        const answer = await shop.fetch(path, { method })
        expect(answer.headers.get('allow')).toBe(allow)
        await problem(answer, 405)
      }
      expect((await shop.queue.get(id))?.state).toBe('queued')
    })

    test('a path that is not of the routes is left to others', async () => {
      const shop = await openShop(door, { accept })
      for (const path of [
        '/',
        '/jobs',
        '/jobs/',
        '/jobs/a/b/c',
        '/jobs/a/other',
        '/jobsx',
        '/echo/more',
        '//jobs/a',
      ])
        expect([path, (await shop.fetch(path)).status]).toEqual([path, 404])
    })

    test('the routes may be mounted elsewhere', async () => {
      const shop = await openShop(door, { base: '/api/v1/todo', accept: { '/api/v1/echo': echo } })
      const answer = await shop.post('/api/v1/echo', { text: 'a' })
      const { id } = await json<{ id: string }>(answer, 202)
      expect(answer.headers.get('location')).toBe(`/api/v1/todo/${id}`)
      expect((await shop.fetch(`/api/v1/todo/${id}`)).status).toBe(200)
      expect((await shop.fetch(`/jobs/${id}`)).status).toBe(404)
    })

    test('a path that cannot be one is refused at start', async () => {
      for (const options of [
        { base: 'jobs' },
        { base: '/jobs/' },
        { accept: { '/a/:id': echo } },
        { base: '/' },
      ])
        await expect(openShop(door, options)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    })
  })

for (const door of everyServer)
  describe(`behind ${door}`, () => {
    test('nothing that is sent brings the server down', async () => {
      const shop = await openShop(door, { accept, authorize: () => true })
      const { port } = new URL(shop.url)
      const requests = [
        'GET /jobs/%ff HTTP/1.1\r\nHost: x\r\n\r\n',
        'GET /jobs/a HTTP/1.1\r\nHost: a b/\\@:99999\r\n\r\n',
        'GET http://elsewhere/jobs/a HTTP/1.1\r\nHost: x\r\n\r\n',
        'GET //x@y/jobs/a?%%% HTTP/1.1\r\nHost: x\r\n\r\n',
        'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
        'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"te',
        'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      ]
      for (const text of requests) {
        const socket = connect(Number(port), '127.0.0.1')
        socket.on('error', () => undefined)
        socket.end(text)
        socket.resume()
        await once(socket, 'close')
      }
      expect((await shop.post('/echo', { text: 'a' })).status).toBe(202)
      expect((await shop.queue.find()).jobs).toHaveLength(1)
    })

    test('a body that is refused before it has come ends the connection, so that nobody waits', async () => {
      // express.json() in front of the routes waits for the whole body.
      if (door === 'express with express.json()') return
      const shop = await openShop(door, { accept, bodyBytes: 1000 })
      const { port } = new URL(shop.url)
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(
        'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n{',
      )
      let text = ''
      for await (const part of socket) text += String(part)
      expect(text).toMatch(/^HTTP\/1\.1 413 /)
    })
  })

test('other methods of an accept route are left to the application', async () => {
  const shop = await openShop('web', { accept })
  const { queue } = shop
  const app = express()
  app.use(offloadExpress(queue, { accept }))
  app.get('/echo', (_req, res) => void res.send('a page'))
  const routes = nodeRoutes(queue, { accept })
  const hono = new Hono()
  hono.use(offloadHono(queue, { accept }))
  hono.get('/echo', (context) => context.text('a page'))
  const fastify = Fastify()
  fastify.register(offloadFastify, { queue, accept })
  fastify.get('/echo', async () => 'a page')
  onTestFinished(() => fastify.close())
  const urls = [
    await urlOf(createServer(app)),
    await urlOf(createServer((req, res) => routes(req, res, () => res.end('a page')))),
    await urlOf(createServer(nodeHandler((request) => hono.fetch(request)))),
    await fastify.listen({ port: 0, host: '127.0.0.1' }),
  ]
  for (const url of urls) {
    const page = await fetch(`${url}/echo`)
    expect([page.status, await page.text()]).toEqual([200, 'a page'])
  }
  const alone = await urlOf(createServer((req, res) => routes(req, res)))
  const refused = await fetch(`${alone}/echo`)
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST'])
})

test('a route of one’s own answers with accepted(), which waits where the client prefers it', async () => {
  const { queue } = await openShop('web')
  queue.work()
  const app = express()
  app.use(offloadExpress(queue, { base: '/todo' }))
  app.post('/own', async (_req, res) =>
    res.accepted(await queue.enqueue(echo, { text: 'a' }), { retryAfter: 7 }),
  )
  app.post('/bad', async (_req, res) => res.accepted(await queue.enqueue(echo, { text: 7 as never })))
  app.use(offloadErrors)
  const fastify = Fastify()
  fastify.register(offloadFastify, { queue, base: '/todo' })
  fastify.post('/own', async (_request, reply) =>
    reply.accepted(await queue.enqueue(echo, { text: 'a' }), { retryAfter: 7 }),
  )
  fastify.post('/bad', async (_request, reply) =>
    reply.accepted(await queue.enqueue(echo, { text: 7 as never })),
  )
  onTestFinished(() => fastify.close())
  const web = nodeHandler(async (request) => {
    const { pathname } = new URL(request.url)
    try {
      const job = await queue.enqueue(echo, { text: pathname === '/bad' ? (7 as never) : 'a' })
      return await acceptedFor(request, job, queue, { base: '/todo', retryAfter: 7 })
    } catch (error) {
      return problemResponse(error)
    }
  })
  const urls = [
    await urlOf(createServer(app)),
    await fastify.listen({ port: 0, host: '127.0.0.1' }),
    await urlOf(createServer(web)),
  ]
  for (const url of urls) {
    const answer = await fetch(`${url}/own`, { method: 'POST' })
    expect(answer.headers.get('retry-after')).toBe('7')
    const { id } = await json<{ id: string }>(answer, 202)
    expect(answer.headers.get('location')).toBe(`/todo/${id}`)
    const waited = await fetch(`${url}/own`, { method: 'POST', headers: { prefer: 'wait=30' } })
    expect(await json(waited)).toMatchObject({ state: 'done', result: { said: 'a' } })
    await problem(await fetch(`${url}/bad`, { method: 'POST' }), 422, 'INPUT_INVALID')
  }
})

test('a job that ended while it was waited for is accepted, also where it cannot be read', async () => {
  const job = { id: 'a', task: 'echo', queue: 'default', duplicate: false }
  const broken = { result: async () => 'x', get: () => Promise.reject(new Error('away')) }
  const request = new Request('http://shop/', { headers: { prefer: 'wait=5' } })
  expect((await acceptedFor(request, job, broken)).status).toBe(202)
  expect(accepted(job).headers.get('location')).toBe('/jobs/a')
})

test('what another part of the application has answered already is not answered twice', async () => {
  const shop = await openShop('web')
  const app = express()
  app.use((_req, res, next) => {
    next()
    res.status(504).send('too late')
  })
  app.use(offloadExpress(shop.queue, { accept }))
  const url = await urlOf(createServer(app))
  const { id } = await shop.queue.enqueue(hold, {})
  for (const path of [`/jobs/${id}`, `/jobs/${id}/events`]) expect((await fetch(url + path)).status).toBe(504)
})

test('Fastify mounts the routes below a prefix, beside what the application parses by itself', async () => {
  const { queue } = await openShop('web')
  const app = Fastify()
  app.register(
    async (scope) => {
      scope.register(offloadFastify, { queue, accept })
      scope.post('/own', async (request) => request.body)
    },
    { prefix: '/api' },
  )
  onTestFinished(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const post = (path: string): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"text":"a"}',
    })
  const { id } = await json<{ id: string }>(await post('/api/echo'), 202)
  expect(await json(await fetch(`${url}/api/jobs/${id}`))).toMatchObject({ state: 'queued' })
  expect(await json(await post('/api/own'))).toEqual({ text: 'a' })
})

test('Express reads what express.raw() has read, and finds its paths wherever it is mounted', async () => {
  const { queue } = await openShop('web')
  const app = express()
  app.use(express.raw({ type: () => true }))
  const router = express.Router()
  router.use(offloadExpress(queue, { base: '/api/jobs', accept: { '/api/echo': echo } }))
  app.use('/api', router)
  const url = await urlOf(createServer(app))
  const post = (body: string): Promise<Response> =>
    fetch(`${url}/api/echo`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { id } = await json<{ id: string }>(await post('{"text":"a"}'), 202)
  expect((await queue.get(id))?.payload).toEqual({ text: 'a' })
  await problem(await post('{"text":"a","text":"b"}'), 400, 'BODY_INVALID')
})

test('a web-standard server gets undefined for what is for others', async () => {
  const { queue } = await openShop('web')
  const routes = jobRoutes(queue, { accept })
  for (const [path, method] of [
    ['/jobs', 'GET'],
    ['/orders', 'GET'],
    ['/echo', 'GET'],
  ] as const)
    expect(await routes(new Request(`http://shop${path}`, { method }))).toBeUndefined()
})
