import express from 'express'
import Fastify from 'fastify'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import type { JobRoutesOptions } from 'offload/http'
import { jobRoutes } from 'offload/http'
import { offloadExpress } from 'offload/http/express'
import { offloadFastify } from 'offload/http/fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { servers } from './fuzz/servers.ts'
import { exchange } from './fuzz/socket.ts'

const echo = task('echo', { input: z.object({ text: z.string() }), run: ({ text }) => text })
const options: JobRoutesOptions = { accept: { '/echo': echo } }
const body = '{"text":"hi"}'
const json = { 'content-type': 'application/json' }

let queue: Offload
const open: (() => unknown)[] = []
beforeEach(() => {
  queue = offload({ url: 'memory:', tasks: [echo] })
})
afterEach(async () => {
  for (const close of open.splice(0)) await close()
  await queue.close()
})

test.each(Object.entries(servers))(
  'a request line with a whole URL is answered by %s',
  async (_name, start) => {
    const server = await start(queue, options)
    open.push(() => server.close())
    const head = `POST http://shop.example/echo HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n`
    const bytes = Buffer.from(
      `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    expect((await exchange({ port: server.port, bytes, endsEarly: false }))?.status).toBe(202)
  },
)

test('a job with an id of 200 characters is read and cancelled behind Fastify', async () => {
  const app = Fastify()
  open.push(() => app.close())
  app.register(offloadFastify, { queue, authorize: () => true })
  app.get('/jobs/:id/more', () => 'of the application')
  const { id } = await queue.enqueue(echo, { text: 'hi' }, { id: 'i'.repeat(200) })
  expect((await app.inject(`/jobs/${id}`)).json()).toMatchObject({ id, state: 'queued' })
  expect((await app.inject({ method: 'POST', url: `/jobs/${id}/cancel` })).statusCode).toBe(200)
  expect((await app.inject({ method: 'PUT', url: `/jobs/${id}` })).statusCode).toBe(405)
  expect((await app.inject('/jobs/x/more')).body).toBe('of the application')
  expect((await app.inject('/jobs/x/other')).json()).toMatchObject({
    message: 'Route GET:/jobs/x/other not found',
  })
})

test('a body that Fastify itself refuses is told of as the routes would', async () => {
  const app = Fastify()
  open.push(() => app.close())
  app.register(offloadFastify, { queue, ...options, bodyBytes: 100 })
  const codeOf = async (type: string, payload: string): Promise<unknown> =>
    (await app.inject({ method: 'POST', url: '/echo', headers: { 'content-type': type }, payload })).json()
      .code
  expect(await codeOf('/', body)).toBe('CONTENT_TYPE_UNSUPPORTED')
  expect(await codeOf('application/json', 'x'.repeat(101))).toBe('BODY_TOO_LARGE')
})

test('a body nested deeper than can be written again is refused after express.json()', async () => {
  const app = express()
    .use(express.json({ limit: '1mb' }))
    .use(offloadExpress(queue, options))
  const server = app.listen(0, '127.0.0.1')
  open.push(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const deep = `${'['.repeat(300_000)}${']'.repeat(300_000)}`
  const answer = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', headers: json, body: deep })
  expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'BODY_INVALID' }])
})

test('an item of a batch that a hook refuses with a Response is told its status', async () => {
  const refuse = (): never => {
    throw new Response('go away', { status: 403 })
  }
  const routes = jobRoutes(queue, { accept: { '/echo': { task: echo, batch: 2, options: refuse } } })
  const items = `{"items":[{"input":${body}}]}`
  const answer = await routes(
    new Request('http://x/echo/batch', { method: 'POST', headers: json, body: items }),
  )
  expect(await answer?.json()).toEqual({
    items: [{ status: 403, problem: { type: 'about:blank', title: 'Forbidden', status: 403 } }],
  })
})

test('an input with very many faults is not answered with more than it had', async () => {
  const many = task('many', { input: z.array(z.string()), run: () => undefined })
  const wide = offload({ url: 'memory:', tasks: [many] })
  open.push(() => wide.close())
  const routes = jobRoutes(wide, { accept: { '/many': many } })
  const input = JSON.stringify(Array(60_000).fill(1))
  const answer = await routes(new Request('http://x/many', { method: 'POST', headers: json, body: input }))
  expect(answer?.status).toBe(422)
  expect((await answer?.text())?.length).toBeLessThan(input.length)
})
