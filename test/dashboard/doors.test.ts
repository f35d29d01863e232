import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { offload, task } from 'offload'
import type { Dashboard, DashboardOptions } from 'offload/dashboard'
import { dashboard } from 'offload/dashboard'
import { nodeHandler } from 'offload/http/node'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { buildPage } from '../../scripts/web.ts'
import { silentLogger } from '../../src/log.ts'

const echo = task('echo', { input: z.object({ text: z.string() }), run: ({ text }) => text })

/** Each way in which the dashboard is put into a server, in one line; answers where that is. */
const doors: Record<string, (board: Dashboard) => Promise<string>> = {
  node: (board) => listening((req, res) => board.node(req, res)),
  express: (board) => listening(express().use(board.node)),
  'express with express.json()': (board) => listening(express().use(express.json()).use(board.node)),
  hono: (board) => {
    const app = new Hono()
    app.use(board.hono)
    return listening(nodeHandler((request) => app.fetch(request)))
  },
  'a web-standard handler': (board) => listening(nodeHandler(board)),
  fastify: async (board) => {
    const app = Fastify()
    app.register(board.fastify)
    onTestFinished(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'fastify below a prefix': async (board) => {
    const app = Fastify()
    app.register(board.fastify, { prefix: '/internal' })
    onTestFinished(() => app.close())
    return `${await app.listen({ port: 0, host: '127.0.0.1' })}/internal`
  },
}

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function open(door: string, options: Partial<DashboardOptions> = {}): Promise<string> {
  const queue = offload({ url: 'memory:', tasks: [echo], logger: silentLogger })
  const board = dashboard(queue, { authorize: () => true, ...options })
  onTestFinished(async () => {
    board.close()
    await queue.close()
  })
  const url = await doors[door]?.(board)
  return `${url}/offload`
}

beforeAll(async () => {
  await buildPage()
})

describe.each(Object.keys(doors))('behind %s', (door) => {
  test('the page and its files are served, packed for who can unpack them', async () => {
    const url = await open(door)
    const page = await fetch(url)
    expect(page.url).toBe(`${url}/`)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-encoding')).toBe('gzip')
    const html = await page.text()
    expect(html).toContain('<title>Offload</title>')
    const [, script = ''] = /src="\.\/(assets\/[^"]+\.js)"/.exec(html) ?? []
    const file = await fetch(`${url}/${script}`)
    expect(file.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(file.headers.get('cache-control')).toContain('immutable')
    const plain = await fetch(`${url}/${script}`, { headers: { 'accept-encoding': 'identity' } })
    expect(plain.headers.has('content-encoding')).toBe(false)
    expect(await plain.text()).toBe(await file.text())
    const again = await fetch(`${url}/`, { headers: { 'if-none-match': page.headers.get('etag') ?? '' } })
    expect(again.status).toBe(304)
  })

  test('the API is asked and told', async () => {
    const url = await open(door)
    const headers = { 'content-type': 'application/json', 'x-offload-dashboard': '1' }
    const body = JSON.stringify({ task: 'echo', input: { text: 'hi' } })
    const accepted = await fetch(`${url}/api/jobs`, { method: 'POST', headers, body })
    expect(accepted.status).toBe(202)
    const { id } = (await accepted.json()) as { id: string }
    const job = await fetch(`${url}/api/jobs/${id}`)
    expect(await job.json()).toMatchObject({ id, state: 'queued', carried: { payload: { text: 'hi' } } })
    expect(job.headers.get('x-frame-options')).toBe('DENY')
    const wrong = await fetch(`${url}/api/jobs`, { method: 'POST', headers, body: '{' })
    expect(wrong.status).toBe(400)
  })

  test('the hook gets the request with its cookies and its whole address', async () => {
    const seen: [string, string | null][] = []
    const url = await open(door, {
      authorize: (request) => {
        seen.push([new URL(request.url).pathname, request.headers.get('cookie')])
        return false
      },
    })
    expect((await fetch(`${url}/api/about`, { headers: { cookie: 'session=1' } })).status).toBe(403)
    expect(seen).toEqual([[new URL(`${url}/api/about`).pathname, 'session=1']])
  })

  test('the stream tells what is there, and ends when its reader leaves', async () => {
    const url = await open(door)
    const leave = new AbortController()
    const stream = await fetch(`${url}/api/live`, { signal: leave.signal })
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    let told = ''
    for await (const part of stream.body as ReadableStream<Uint8Array>) {
      told += Buffer.from(part).toString()
      if (told.includes('event: live')) break
    }
    expect(told).toContain('event: history')
    expect(told).toMatch(/event: live\ndata: \{"sample":\{"at":\d+,"ready":0/)
    leave.abort()
  })
})
