import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Validator } from '@seriousme/openapi-schema-validator'
import { type } from 'arktype'
import Fastify from 'fastify'
import { Hono } from 'hono'
import type { Offload } from 'offload'
import { discard, offload, task } from 'offload'
import type { JobRoutesOptions, OpenapiDocument } from 'offload/http'
import { jobRoutes, openapi } from 'offload/http'
import { offloadFastify } from 'offload/http/fastify'
import { offloadHono } from 'offload/http/hono'
import { nodeRoutes } from 'offload/http/node'
import * as v from 'valibot'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { statusOf } from '../src/http/problem.ts'
import { RouteTable } from '../src/http/route-table.ts'
import { Documented } from './documented.ts'

const info = { title: 'Reports', version: '1.2.0' }

const report = task('report', {
  input: z.object({ text: z.string().max(100_000), n: z.number().optional() }),
  output: z.object({ said: z.string() }),
  queue: 'reports',
  key: ({ text }) => (text.startsWith('key:') ? text : undefined),
  retry: { attempts: 1 },
  run: ({ text }, job) => {
    if (text === 'hold')
      return new Promise<never>((_, reject) => job.signal.addEventListener('abort', reject))
    return text === 'bad' ? discard('not wanted') : { said: text }
  },
})
interface Tree {
  name: string
  kids: Tree[]
}
const treeSchema: z.ZodType<Tree> = z.strictObject({
  name: z.string(),
  get kids() {
    return z.array(treeSchema)
  },
})
const tree = task('shop:tree', { input: treeSchema, run: () => undefined })
const ark = task('ark', { input: type({ count: 'number' }), run: () => undefined })
const vali = task('vali', { input: v.object({ count: v.number() }), run: () => undefined })
const told = task('told', { input: z.unknown(), run: () => undefined })

const tasks = [report, tree, ark, vali, told]
const secrets = ['a secret of 16 characters or more']

const all: JobRoutesOptions = {
  base: '/v1/jobs',
  accept: {
    '/v1/jobs': report,
    '/v1/reports': { task: report, batch: 3, idempotency: 'required' },
    '/v1/plain': { task: report, idempotency: 'off', batch: 2 },
    '/trees': { task: tree, batch: 10, callback: () => told },
    '/ark': ark,
    '/ark-': ark,
    '/vali': vali,
    '/told': { task: vali, jsonSchema: { input: { type: 'object', required: ['count'] } } },
  },
  links: { secrets },
  list: () => true,
  tenant: () => 'one',
  authorize: () => true,
  maxWait: '10s',
  cors: { origins: '*' },
  openapi: { ...info, servers: [{ url: 'https://api.example.com' }], webhooks: true },
}

const sets: Record<string, JobRoutesOptions> = {
  none: {},
  all,
  'accepting alone': { accept: { '/reports': report } },
  'a list beside accepting': { list: () => true, accept: { '/jobs': report } },
  'signed links': { links: { secrets }, openapi: info },
  'batches alone': { accept: { '/vali': { task: vali, batch: 1, idempotency: 'off' } } },
}

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function opened(limits = {}): Offload {
  const queue = offload({ url: 'memory:', tasks, limits })
  open.push(() => queue.close())
  return queue
}

/** A server of node:http, and what it answers, held against its document. */
async function serve(
  queue: Offload,
  options: JobRoutesOptions,
): Promise<(path: string, init?: RequestInit) => Promise<{ status: number; headers: Headers; body: Body }>> {
  const server = createServer(nodeRoutes(queue, options)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const documented = new Documented(openapi(options, info))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return async (path, init) => {
    const { status, headers, text } = await fetch(origin + path, init).then(async (answer) => ({
      status: answer.status,
      headers: answer.headers,
      text: await answer.text(),
    }))
    const [pathname = ''] = path.split('?', 1)
    const answer = { method: init?.method ?? 'GET', path: pathname, status, headers, body: text }
    expect(documented.fault(answer)).toBeUndefined()
    const isJson = text !== '' && headers.get('content-type')?.endsWith('json')
    return { status, headers, body: isJson ? JSON.parse(text) : {} }
  }
}

interface Body {
  readonly id?: string
  readonly state?: string
  readonly code?: string
  readonly result?: unknown
  readonly resultUrl?: string
  readonly items?: readonly { readonly status: number }[]
  readonly next?: string
  readonly links?: { readonly self: string; readonly cancel?: string; readonly events: string }
}

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const operations = (document: OpenapiDocument): [string, Record<string, unknown>][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([verb]) => verb !== 'parameters')
      .map(([verb, operation]): [string, Record<string, unknown>] => [
        `${verb.toUpperCase()} ${path}`,
        operation as Record<string, unknown>,
      ]),
  )

describe.each(Object.entries(sets))('the document with %s', (_name, options) => {
  test('is one of OpenAPI 3.1, without a reference to nothing', async () => {
    const validator = new Validator()
    const document = JSON.parse(JSON.stringify(openapi(options, options.openapi ?? info)))
    expect(await validator.validate(document)).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, ref = '']) => ref)
    for (const ref of refs) {
      const parts = ref.split('/').slice(1)
      expect(
        parts.reduce((node, part) => node?.[part], document),
        ref,
      ).toBeDefined()
    }
  })

  test('tells of the routes that are mounted and of no other', () => {
    const table = new RouteTable(opened(), options)
    const mounted = table.routes.map(({ method, path }) => `${method} ${path}`)
    expect(
      operations(openapi(options, info))
        .map(([name]) => name)
        .sort(),
    ).toEqual(mounted.sort())
  })

  test('has only schemas that compile', () => {
    const documented = new Documented(openapi(options, options.openapi ?? info))
    expect(documented.schemas.length).toBeGreaterThan(5)
    for (const schema of documented.schemas) documented.unfit(schema, {})
  })

  test('names each operation once, and links to those that are there', () => {
    const document = openapi(options, info)
    const ids = operations(document).map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [, id] of JSON.stringify(document.paths).matchAll(
      /"operationId":"(\w+)","parameters":\{"id"/g,
    ))
      expect(ids).toContain(id)
  })

  test('tells of each code under the status it has', () => {
    const { responses } = openapi(options, info).components as { responses: Record<string, object> }
    for (const response of Object.values(responses)) {
      const found = /"status":\{"const":(\d+)\},"code":\{"enum":\[([^\]]+)\]/.exec(JSON.stringify(response))
      for (const code of JSON.parse(`[${found?.[2] ?? ''}]`) as (keyof typeof statusOf)[])
        if (!code.startsWith('BACKEND_')) expect(statusOf[code]).toBe(Number(found?.[1]))
    }
  })
})

describe('bodies', () => {
  const document = openapi(all, info)
  const documented = new Documented(document)
  const unfit = (path: string, value: unknown): string | undefined =>
    documented.unfit(
      `${documented.operation('POST', path)}/requestBody/content/application~1json/schema`,
      value,
    )

  test('are told by the schema of the task, of Zod and of ArkType', () => {
    expect(unfit('/v1/reports', { text: 'hi' })).toBeUndefined()
    expect(unfit('/v1/reports', { text: 7 })).toContain('must be string')
    expect(unfit('/ark', { count: 1 })).toBeUndefined()
    expect(unfit('/ark', { count: 'one' })).toContain('must be number')
  })

  test('may be anything where the library cannot tell, unless the route does', () => {
    expect(unfit('/vali', 'anything')).toBeUndefined()
    expect(unfit('/told', {})).toContain("must have required property 'count'")
  })

  test('of a schema that points to itself point to the right place', () => {
    const good = { name: 'a', kids: [{ name: 'b', kids: [] }] }
    expect(unfit('/trees/batch', { items: [{ input: good, idempotencyKey: 'k' }] })).toBeUndefined()
    expect(unfit('/trees/batch', { items: [{ input: { ...good, kids: [{}] } }] })).toContain('kids/0')
  })

  test('take a callbackUrl beside what a strict schema takes, and nothing else', () => {
    const good = { name: 'a', kids: [], callbackUrl: 'https://x.example/hook' }
    expect(unfit('/trees', good)).toBeUndefined()
    expect(unfit('/trees', { ...good, callbackUrl: 7 })).toContain('callbackUrl')
    expect(unfit('/trees', { ...good, other: 1 })).toContain('additional properties')
  })

  test('two routes with unlike schemas of one task have each its own', () => {
    const number = { task: vali, jsonSchema: { input: { type: 'number' } } }
    const text = { task: vali, jsonSchema: { input: { type: 'string' } } }
    const two = openapi({ accept: { '/number': number, '/text': text, '/again': number } }, info)
    expect(Object.keys(two.components.schemas as object).filter((name) => name.startsWith('vali'))).toEqual([
      'vali.input',
      'vali.input2',
    ])
  })

  test('whose library throws for a schema are told as anything', () => {
    const dated = task('dated', { input: z.object({ at: z.date() }), run: () => undefined })
    expect(openapi({ accept: { '/dated': dated } }, info).components.schemas).not.toHaveProperty(
      'dated.input',
    )
  })
})

describe('real answers are as the document says', () => {
  const options: JobRoutesOptions = {
    accept: {
      '/reports': { task: report, batch: 3, options: ({ n }) => (n === undefined ? {} : { delay: n }) },
      '/once': { task: report, idempotency: 'required', batch: 3 },
    },
    list: (request) => !request.headers.has('x-stranger'),
    bodyBytes: 600_000,
    openapi: info,
  }

  test('in every state of a job', async () => {
    const queue = opened()
    const ask = await serve(queue, options)
    const idOf = async (text: string, n?: number): Promise<string> =>
      (await ask('/reports', json({ text, n }))).body.id ?? ''
    const stateOf = async (id: string): Promise<Body> => (await ask(`/jobs/${id}`)).body
    const scheduled = await idOf('later', 60_000)
    expect(await stateOf(scheduled)).toMatchObject({ state: 'scheduled' })
    const [done, long, dead] = [await idOf('hi'), await idOf('x'.repeat(20_000)), await idOf('bad')]
    expect(await stateOf(done)).toMatchObject({ state: 'queued' })
    expect((await ask(`/jobs/${done}/result`)).body.code).toBe('RESULT_PENDING')
    const held = await idOf('hold')
    const worker = queue.work({ queues: ['reports'] })
    await expect.poll(async () => (await queue.get(held))?.state).toBe('running')
    expect(await stateOf(held)).toMatchObject({ state: 'running' })
    for (const id of [done, long, dead])
      await expect.poll(async () => (await queue.get(id))?.endedAt).toBeDefined()
    expect(await stateOf(done)).toMatchObject({ state: 'done', result: { said: 'hi' } })
    expect(await stateOf(long)).toMatchObject({ state: 'done', resultUrl: `/jobs/${long}/result` })
    expect(await stateOf(dead)).toMatchObject({ state: 'dead', error: { code: 'DISCARDED' } })
    expect((await ask(`/jobs/${done}/result`)).status).toBe(200)
    expect((await ask(`/jobs/${dead}/result`)).body.code).toBe('JOB_DEAD')
    const { headers } = await ask(`/jobs/${done}`)
    const etag = headers.get('etag') ?? ''
    expect((await ask(`/jobs/${done}`, { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect((await ask(`/jobs/${done}`, { method: 'HEAD' })).status).toBe(200)

    expect((await ask(`/jobs/${held}/cancel`, { method: 'POST' })).status).toBe(202)
    await expect.poll(async () => (await queue.get(held))?.state).toBe('cancelled')
    expect(await stateOf(held)).toMatchObject({ state: 'cancelled' })
    expect((await ask(`/jobs/${held}/result`)).body.code).toBe('JOB_CANCELLED')
    expect((await ask(`/jobs/${scheduled}/cancel`, { method: 'POST' })).status).toBe(200)
    expect((await ask(`/jobs/${scheduled}/cancel`, { method: 'POST' })).body.code).toBe('JOB_ENDED')

    const events = await ask(`/jobs/${done}/events`)
    expect([events.status, events.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const last = String((await queue.get(done))?.eventId)
    expect((await ask(`/jobs/${done}/events`, { headers: { 'last-event-id': last } })).status).toBe(204)

    const waited = await ask('/reports', json({ text: 'now' }, { prefer: 'respond-async, wait=20' }))
    expect([waited.status, waited.body.state]).toEqual([200, 'done'])
    const refused = await ask('/reports', json({ text: 'bad' }, { prefer: 'wait=20' }))
    expect([refused.status, refused.body.state]).toEqual([200, 'dead'])
    const first = await ask('/jobs?limit=2')
    expect(first.body.next).toBeDefined()
    expect((await ask(`/jobs?state=done&cursor=${first.body.next}&from=2020-01-01`)).status).toBe(200)
    await worker.stop()
  })

  test('when many are queued in one request', async () => {
    const ask = await serve(opened(), options)
    const items = [
      { input: { text: 'a' }, idempotencyKey: 'k' },
      { input: { text: 7 } },
      { input: { text: 'b' } },
    ]
    const mixed = await ask('/reports/batch', json({ items }))
    expect(mixed.body.items?.map(({ status }) => status)).toEqual([202, 422, 202])
    const again = await ask('/once/batch', json({ items }))
    expect(again.body.items?.map(({ status }) => status)).toEqual([202, 400, 400])
    expect((await ask('/reports/batch', json({ items: Array(4).fill(items[0]) }))).body.code).toBe(
      'INPUT_INVALID',
    )
    expect((await ask('/reports/batch', json({ items: [] }))).status).toBe(207)
  })

  test('for every problem of accepting', async () => {
    const queue = opened({ waiting: { reports: 2 } })
    const ask = await serve(queue, options)
    const codeOf = async (path: string, init: RequestInit): Promise<string | undefined> =>
      (await ask(path, init)).body.code
    const key = { 'idempotency-key': '"one"' }
    expect((await ask('/once', json({ text: 'a' }, key))).status).toBe(202)
    expect((await ask('/once', json({ text: 'a' }, key))).headers.get('idempotent-replayed')).toBe('true')
    expect(await codeOf('/once', json({ text: 'b' }, key))).toBe('IDEMPOTENCY_MISMATCH')
    expect(await codeOf('/once', json({ text: 'a' }))).toBe('IDEMPOTENCY_KEY_MISSING')
    expect(await codeOf('/once', json({ text: 'a' }, { 'idempotency-key': '"' }))).toBe(
      'IDEMPOTENCY_KEY_INVALID',
    )
    expect(await codeOf('/reports', json('{'))).toBe('BODY_INVALID')
    expect(await codeOf('/reports', json({ text: 'x'.repeat(700_000) }))).toBe('BODY_TOO_LARGE')
    expect(await codeOf('/reports', { ...json('{}'), headers: {} })).toBe('CONTENT_TYPE_UNSUPPORTED')
    expect(await codeOf('/reports', json({ text: 7 }))).toBe('INPUT_INVALID')
    expect(await codeOf('/once', json('{"text":"a","n":1e999}', { 'idempotency-key': 'two' }))).toBe(
      'PAYLOAD_INVALID',
    )
    expect(await codeOf('/reports', json({ text: 'a', more: 'x'.repeat(300_000) }))).toBe('PAYLOAD_TOO_LARGE')
    expect(await codeOf('/reports', json({ text: 'key:\0' }))).toBe('OPTION_INVALID')
    const racing = { 'idempotency-key': 'race' }
    const race = await Promise.all([1, 2, 3, 4].map(() => ask('/once', json({ text: 'a' }, racing))))
    for (const { status, body } of race)
      expect(status === 202 ? 'accepted' : body.code).toMatch(/^(accepted|IDEMPOTENCY_IN_USE)$/)
    expect(await codeOf('/reports', json({ text: 'a' }))).toBe('QUEUE_FULL')
    expect(await codeOf('/reports/batch', json({ items: [{ input: { text: 'a' } }] }))).toBe('QUEUE_FULL')
    await queue.close()
    expect(await codeOf('/reports', json({ text: 'a' }))).toBe('CLOSED')
    expect(await codeOf('/jobs', {})).toBe('CLOSED')
  })

  test('for every problem of reading', async () => {
    const queue = opened()
    const ask = await serve(queue, options)
    const gone = '0'.repeat(30)
    for (const path of ['', '/result', '/events']) {
      expect((await ask(`/jobs/none${path}`)).body.code).toBe('JOB_NOT_FOUND')
      expect((await ask(`/jobs/${gone}${path}`)).body.code).toBe('JOB_GONE')
    }
    expect((await ask(`/jobs/${gone}/cancel`, { method: 'POST' })).body.code).toBe('JOB_GONE')
    expect((await ask('/jobs?limit=0')).body.code).toBe('OPTION_INVALID')
    expect((await ask('/jobs', { headers: { 'x-stranger': '1' } })).body.code).toBe('FORBIDDEN')

    const signed = await serve(queue, { links: { secrets }, accept: { '/reports': report } })
    const { body } = await signed('/reports', json({ text: 'a' }))
    expect((await signed(body.links?.self ?? '')).status).toBe(200)
    expect((await signed(`/jobs/${body.id}?expires=1&signature=x`)).body.code).toBe('LINK_INVALID')
    expect((await signed(body.links?.cancel ?? '', { method: 'POST' })).status).toBe(200)
  })
})

describe('the document is served', () => {
  test('beside the jobs, and again only when it has changed', async () => {
    const ask = await serve(opened(), all)
    const { status, headers, body } = await ask('/v1/jobs/openapi.json')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(body).toEqual(JSON.parse(JSON.stringify(openapi(all, { ...info, ...all.openapi }))))
    const etag = headers.get('etag') ?? ''
    expect((await ask('/v1/jobs/openapi.json', { headers: { 'if-none-match': etag } })).status).toBe(304)
  })

  test('by Fastify with the prefix of its plugin, and by Hono', async () => {
    const options = { openapi: info, accept: { '/reports': report } }
    const app = Fastify()
    open.push(() => app.close())
    const queue = opened()
    app.register(async (scope) => scope.register(offloadFastify, { queue, ...options }), { prefix: '/api' })
    const fromFastify = (await app.inject('/api/jobs/openapi.json')).json() as OpenapiDocument
    expect(Object.keys(fromFastify.paths)).toEqual(expect.arrayContaining(['/api/reports', '/api/jobs/{id}']))
    const hono = new Hono().use(offloadHono(queue, options))
    const fromHono = (await (await hono.request('/jobs/openapi.json')).json()) as OpenapiDocument
    expect(Object.keys(fromHono.paths)).toContain('/jobs/openapi.json')
  })

  test('by nobody who did not ask for it', async () => {
    const routes = jobRoutes(opened())
    expect((await routes(new Request('http://x/jobs/openapi.json')))?.status).toBe(404)
  })

  test('and asks for its title and version at the start', () => {
    const nameless = { title: '', version: '1' }
    expect(() => jobRoutes(opened(), { openapi: nameless })).toThrow('openapi takes { title, version }')
    expect(() => openapi({}, nameless)).toThrow('openapi takes { title, version }')
  })
})

test('two routes of one method and path are refused at the start', () => {
  const accept = { '/reports': { task: report, batch: 2 }, '/reports/batch': report }
  expect(() => jobRoutes(opened(), { accept })).toThrow('two routes are POST /reports/batch')
})
