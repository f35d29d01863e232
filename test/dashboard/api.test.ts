import type { Offload } from 'offload'
import { BackendError, discard, errorCodes, offload, task } from 'offload'
import type { DashboardAction, DashboardOptions } from 'offload/dashboard'
import { dashboard } from 'offload/dashboard'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '../../src/log.ts'

const charge = task('payment.charge', {
  queue: 'payments',
  input: z.object({ orderId: z.string(), cents: z.int() }),
  retry: { attempts: 1 },
  run({ orderId, cents }) {
    if (cents < 0) return discard(`order ${orderId} has no price`)
    if (cents === 0) throw new Error(`card of order ${orderId} was declined`)
    return { paid: cents }
  },
})

let queue: Offload

beforeEach(() => {
  const opened = offload({ url: 'memory:', tasks: [charge], logger: silentLogger })
  onTestFinished(() => opened.close())
  queue = opened
})

type Ask = (path: string, init?: RequestInit) => Promise<Response>

/** The dashboard without a server. */
function open(options: Partial<DashboardOptions> = {}): Ask {
  const board = dashboard(queue, { authorize: () => true, ...options })
  onTestFinished(() => board.close())
  return async (path, init) => {
    const response = await board(new Request(`http://shop${path}`, init))
    if (response === undefined) throw new Error(`${path} is for someone else`)
    return response
  }
}

const own = {
  'content-type': 'application/json',
  'x-offload-dashboard': '1',
  'sec-fetch-site': 'same-origin',
}
const post = (
  ask: Ask,
  path: string,
  body: unknown = {},
  headers: Record<string, string> = own,
): Promise<Response> => ask(`/offload/api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
const get = async (ask: Ask, path: string): Promise<Record<string, unknown>> => {
  const response = await ask(`/offload/api/${path}`)
  expect(response.status).toBe(200)
  return (await response.json()) as Record<string, unknown>
}
const codeOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { code?: string }).code

/** Jobs that died, by their prices. */
async function die(...cents: number[]): Promise<string[]> {
  const handles = await Promise.all(
    cents.map((each, nth) => queue.enqueue(charge, { orderId: `o${nth}`, cents: each })),
  )
  const worker = queue.work()
  await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)))
  await worker.stop()
  return handles.map(({ id }) => id)
}

describe('who may', () => {
  test('a dashboard that nobody guards is refused where it is made, with what to do', () => {
    expect(() => dashboard(queue, {} as DashboardOptions)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('authorize') }),
    )
    expect(() => dashboard(queue, undefined as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
  })

  test.each([
    '/offload',
    '/offload/',
    '/offload/assets/index.js',
    '/offload/api/about',
    '/offload/api/live',
    '/offload/api/jobs',
    '/offload/api/none',
  ])('%s is closed to whom the hook refuses', async (path) => {
    const response = await open({ authorize: () => false })(path)
    expect(response.status).toBe(403)
    expect(await codeOf(response)).toBe('FORBIDDEN')
  })

  test('what the hook answers is no yes unless it is true', async () => {
    for (const answer of ['yes', 1, {}, undefined])
      expect((await open({ authorize: () => answer as unknown as boolean })('/offload/')).status).toBe(403)
  })

  test('a response that the hook throws is the answer, with the headers of the dashboard', async () => {
    const headers = { 'www-authenticate': 'Basic realm="jobs"' }
    const ask = open({
      authorize: () => {
        throw new Response('who?', { status: 401, headers })
      },
    })
    const response = await ask('/offload/')
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(headers['www-authenticate'])
    expect(response.headers.get('x-frame-options')).toBe('DENY')
  })

  test('a hook that fails lets nobody in, and tells nothing of why', async () => {
    const ask = open({
      authorize: () => {
        throw new Error('no session store at 10.0.0.1')
      },
    })
    const response = await ask('/offload/api/jobs')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('10.0.0.1')
  })

  test('the hook is asked for each thing that is done', async () => {
    const asked = new Set<DashboardAction>()
    const ask = open({
      authorize: (_, action) => {
        asked.add(action)
        return action === 'view' || action === 'pause'
      },
    })
    const [id = ''] = await die(0)
    expect(await get(ask, 'about')).toMatchObject({ may: ['view', 'pause'], readOnly: false })
    expect((await post(ask, 'queues/payments/pause')).status).toBe(200)
    for (const [path, action] of [
      ['jobs', 'enqueue'],
      [`jobs/${id}/cancel`, 'cancel'],
      [`jobs/${id}/retry`, 'retry'],
      ['dead/redrive', 'redrive'],
      ['dead/purge', 'purge'],
      ['queues/payments/resume', 'resume'],
      ['schedules/nightly/run', 'schedule'],
    ] as const) {
      asked.clear()
      expect(await codeOf(await post(ask, path))).toBe('FORBIDDEN')
      expect([...asked]).toEqual(['view', action])
    }
    expect((await queue.get(id))?.state).toBe('dead')
  })

  test('who may not see payloads sees none: not of the job, nor of its result, progress or schedule', async () => {
    const [id] = await die(7)
    const ask = open({ authorize: (_, action) => action === 'view' })
    const job = await get(ask, `jobs/${id}`)
    expect(job).toMatchObject({ id, state: 'done' })
    expect(job).not.toHaveProperty('carried')
    expect(JSON.stringify(job)).not.toContain('o0')
    expect((await ask(`/offload/api/jobs/${id}/result`)).status).toBe(403)
    expect(await get(open(), `jobs/${id}`)).toMatchObject({
      carried: { payload: { orderId: 'o0', cents: 7 }, result: { paid: 7 } },
    })
  })

  test('read-only, nothing is changed, whoever asks', async () => {
    const ask = open({ readOnly: true })
    const [id] = await die(0)
    for (const path of ['jobs', `jobs/${id}/retry`, 'dead/purge', 'queues/payments/pause', 'schedules/a/run'])
      expect((await post(ask, path)).status).toBe(403)
    expect(await get(ask, 'about')).toMatchObject({ readOnly: true, may: ['view', 'payload'] })
    expect(await queue.get(id ?? '')).toMatchObject({ state: 'dead' })
    expect(await queue.depth('payments')).toMatchObject({ paused: false })
  })
})

describe('what another page makes a browser send', () => {
  const json = { 'content-type': 'application/json' }
  const mark = { ...json, 'x-offload-dashboard': '1' }

  test.each([
    ['has no header of the page', json],
    ['is of another site', { ...mark, 'sec-fetch-site': 'cross-site' }],
    ['is of a neighbour', { ...mark, 'sec-fetch-site': 'same-site' }],
    ['is typed in', { ...mark, 'sec-fetch-site': 'none' }],
    ['has the origin of another', { ...mark, origin: 'https://evil.example' }],
    ['has an origin that is none', { ...mark, origin: 'null' }],
  ])('a POST that %s changes nothing', async (_, headers) => {
    const response = await post(open(), 'queues/payments/pause', {}, headers)
    expect(response.status).toBe(403)
    expect(await queue.depth('payments')).toMatchObject({ paused: false })
  })

  test.each([
    ['of the page itself', { ...mark, 'sec-fetch-site': 'same-origin' }],
    ['of an older browser', { ...mark, origin: 'http://shop', host: 'shop' }],
    ['of a program', mark],
  ])('a POST %s is taken', async (_, headers) => {
    expect((await post(open(), 'queues/payments/pause', {}, headers)).status).toBe(200)
    expect(await queue.depth('payments')).toMatchObject({ paused: true })
  })

  test('no GET changes anything', async () => {
    const ask = open()
    for (const path of ['queues/payments/pause', 'dead/purge', 'schedules/a/run'])
      expect((await ask(`/offload/api/${path}`)).status).toBe(405)
  })
})

describe('every answer', () => {
  test.each(['/offload/api/about', '/offload/api/jobs?limit=x', '/offload/nothing', '/offload'])(
    '%s keeps to itself',
    async (path) => {
      const { headers } = await open()(path)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toContain('unsafe')
      expect(policy).not.toMatch(/https?:|\*/)
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cache-control')).toBe('no-store')
    },
  )

  test('a path without a slash leads to the page, below whatever it is put', async () => {
    const response = await open()('/offload')
    expect(response.status).toBe(308)
    expect(response.headers.get('location')).toBe('offload/')
  })

  test('what is not below the base is for someone else', async () => {
    const board = dashboard(queue, { authorize: () => true, base: '/admin/jobs' })
    for (const path of ['/', '/offload', '/admin', '/admin/jobs-of-others'])
      expect(await board(new Request(`http://shop${path}`))).toBeUndefined()
    expect((await board(new Request('http://shop/admin/jobs/api/about')))?.status).toBe(200)
  })

  test.each([{ base: '/' }, { base: 'offload' }, { base: '/a/' }, { maxStreams: 0 }])(
    '%j is refused where it is made',
    (options) => {
      expect(() => open(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    },
  )
})

describe('jobs', () => {
  test('a list is without what jobs carry, page by page', async () => {
    const ids = await die(1, 2, 3)
    const first = await get(open(), 'jobs?limit=2')
    expect(first).toMatchObject({ jobs: [{ id: ids[2] }, { id: ids[1] }], next: expect.any(String) })
    expect(JSON.stringify(first)).not.toContain('cents')
    const second = await get(open(), `jobs?limit=2&cursor=${first.next}`)
    expect(second).toEqual({ jobs: [expect.objectContaining({ id: ids[0], state: 'done' })] })
  })

  test('jobs are found by id, state, task, queue and time', async () => {
    const [alive, dead] = await die(1, 0)
    const found = async (query: string): Promise<unknown> =>
      ((await get(open(), `jobs?${query}`)).jobs as { id: string }[]).map(({ id }) => id)
    expect(await found(`id=${alive}`)).toEqual([alive])
    expect(await found('state=dead')).toEqual([dead])
    expect(await found('task=payment.charge&queue=payments&state=done')).toEqual([alive])
    expect(await found('task=none')).toEqual([])
    expect(await found(`to=${Date.now() - 60_000}`)).toEqual([])
    expect(await found(`from=${Date.now() - 60_000}`)).toHaveLength(2)
  })

  test('an error text is looked for in messages and codes, and it is told how far', async () => {
    const [, declined, priceless] = await die(1, 0, -1)
    const found = (text: string): Promise<unknown> => get(open(), `jobs?text=${encodeURIComponent(text)}`)
    expect(await found('WAS declined')).toMatchObject({ jobs: [{ id: declined }], looked: 3 })
    expect(await found('discarded')).toMatchObject({ jobs: [{ id: priceless }] })
    expect(await found('nothing of the kind')).toEqual({ jobs: [], looked: 3 })
  })

  test.each(['limit=0', 'limit=201', 'limit=x', 'state=lost', 'from=yesterday', 'order=id', 'cursor=%00'])(
    'a search for %s is refused with a code',
    async (query) => {
      const response = await open()(`/offload/api/jobs?${query}`)
      expect(response.status).toBe(400)
      expect(await codeOf(response)).toBe('OPTION_INVALID')
    },
  )

  test('a job tells all that is known of it, and one that is not there is a 404', async () => {
    const [id] = await die(0)
    expect(await get(open(), `jobs/${id}`)).toMatchObject({
      state: 'dead',
      faults: [{ message: 'card of order o0 was declined', stack: expect.stringContaining('at ') }],
      carried: { payload: { orderId: 'o0' }, log: [] },
    })
    const response = await open()('/offload/api/jobs/none')
    expect(response.status).toBe(404)
    expect(await codeOf(response)).toBe('JOB_NOT_FOUND')
    expect(await codeOf(await open()('/offload/api/jobs/%2e%2e%2f'))).toBe('ID_INVALID')
  })

  test('a job is queued by the name of its task, and what does not fit is told by place', async () => {
    const ask = open()
    const response = await post(ask, 'jobs', {
      task: 'payment.charge',
      input: { orderId: 'a', cents: 5 },
      priority: 9,
    })
    expect(response.status).toBe(202)
    const { id } = (await response.json()) as { id: string }
    expect(await queue.get(id)).toMatchObject({ payload: { orderId: 'a', cents: 5 }, priority: 9 })
    const wrong = await post(ask, 'jobs', { task: 'payment.charge', input: { orderId: 'a', cents: 'x' } })
    expect(wrong.status).toBe(422)
    expect(await wrong.json()).toMatchObject({ code: 'INPUT_INVALID', errors: [{ path: 'cents' }] })
  })

  test.each([
    [{ task: 'none', input: {} }, 422, 'TASK_UNKNOWN'],
    [{ task: 'payment.charge', input: {}, shell: 'rm' }, 400, 'OPTION_INVALID'],
    [{ task: 'payment.charge', input: { orderId: 'a', cents: 1 }, priority: 'high' }, 400, 'OPTION_INVALID'],
    [{ task: 'payment.charge', input: { orderId: 'a', cents: 1 }, priority: 11 }, 400, 'OPTION_INVALID'],
    [[], 400, 'OPTION_INVALID'],
    [null, 400, 'OPTION_INVALID'],
  ])('%j is refused with a code', async (body, status, code) => {
    const response = await post(open(), 'jobs', body)
    expect(response.status).toBe(status)
    expect(await codeOf(response)).toBe(code)
  })

  test('tasks tell the schema of their input', async () => {
    expect(await get(open(), 'tasks')).toMatchObject({
      tasks: [
        { name: 'payment.charge', queue: 'payments', schema: { properties: { cents: { type: 'integer' } } } },
      ],
    })
  })

  test('a job is cancelled and retried', async () => {
    const ask = open()
    const [dead] = await die(0)
    expect(await (await post(ask, `jobs/${dead}/retry`)).json()).toEqual({ retried: true })
    expect(await (await post(ask, `jobs/${dead}/retry`)).json()).toEqual({ retried: false })
    expect(await (await post(ask, `jobs/${dead}/cancel`)).json()).toEqual({ verdict: 'cancelled' })
    expect(await (await post(ask, 'jobs/none/cancel')).json()).toEqual({ verdict: 'unknown' })
  })
})

describe('dead letters', () => {
  const lines = async (response: Response): Promise<unknown[]> =>
    (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

  test('they are told by what they died of', async () => {
    await die(0, 0, -1, 5)
    expect(await get(open(), 'dead')).toMatchObject({
      looked: 3,
      groups: [
        { task: 'payment.charge', code: 'HANDLER_FAILED', count: 2, queues: ['payments'] },
        { code: 'DISCARDED', count: 1 },
      ],
    })
  })

  test('those of one kind are redriven, and the others stay', async () => {
    const [first, second, other] = await die(0, 0, -1)
    const ask = open()
    const { groups } = (await get(ask, 'dead')) as {
      groups: { task: string; code: string; pattern: string }[]
    }
    const { task: name, code, pattern } = groups[0] ?? { task: '', code: '', pattern: '' }
    const response = await post(ask, 'dead/redrive', { task: name, code, pattern })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    expect(await lines(response)).toEqual([{ done: 2 }, { finished: 2 }])
    expect(await queue.get(first ?? '')).toMatchObject({ state: 'queued' })
    expect(await queue.get(second ?? '')).toMatchObject({ state: 'queued' })
    expect(await queue.get(other ?? '')).toMatchObject({ state: 'dead' })
  })

  test('more than one stretch is purged in steps that are told', async () => {
    await die(...Array.from({ length: 1200 }, () => 0))
    expect(await lines(await post(open(), 'dead/purge', { queue: 'payments' }))).toEqual([
      { done: 1000 },
      { done: 1200 },
      { finished: 1200 },
    ])
    expect(await queue.depth('payments')).toMatchObject({ dead: 0 })
  })

  test('those that are named are purged, and no others', async () => {
    const [first, second] = await die(0, 0)
    expect(await lines(await post(open(), 'dead/purge', { ids: [first] }))).toContainEqual({ finished: 1 })
    expect(await queue.get(first ?? '')).toBeUndefined()
    expect(await queue.get(second ?? '')).toMatchObject({ state: 'dead' })
  })

  test.each([
    {},
    [],
    null,
    { ids: [] },
    { ids: 'all' },
    { ids: [1] },
    { ids: ['a'], task: 'b' },
    { state: 'done' },
    { task: 7 },
  ])('a selection of %j means nothing, and nothing is purged', async (selection) => {
    const [id] = await die(0)
    const response = await post(open(), 'dead/purge', selection)
    expect(response.status).toBe(400)
    expect(await codeOf(response)).toBe('OPTION_INVALID')
    expect(await queue.get(id ?? '')).toMatchObject({ state: 'dead' })
  })

  test('a store that goes away in the middle is told as far as it went', async () => {
    const [id] = await die(0)
    vi.spyOn(queue, 'redrive').mockRejectedValue(
      new BackendError('BACKEND_UNAVAILABLE', 'no answer of 10.0.0.1'),
    )
    const response = await post(open(), 'dead/redrive', { ids: [id] })
    expect(JSON.parse(await response.text())).toEqual({
      stopped: { code: 'BACKEND_UNAVAILABLE', title: errorCodes.BACKEND_UNAVAILABLE },
      done: 0,
    })
  })
})
