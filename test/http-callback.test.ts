import Fastify from 'fastify'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { generateSecret, verify, webhooks } from 'offload/webhooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '../src/log.ts'
import { receiver } from './webhook-receiver.ts'

const secret = generateSecret()
const work = task('work', {
  input: z.strictObject({ n: z.number() }),
  retry: { attempts: 1 },
  run({ n }) {
    if (n < 0) throw new Error('below nought')
    return { n }
  },
})

async function api(allow?: () => boolean) {
  const hooks = webhooks({ secrets: [secret], ...(allow === undefined ? {} : { allow }) })
  const queue = offload({ url: 'memory:', tasks: [work, hooks.task], logger: silentLogger })
  const app = Fastify()
  app.register(offloadFastify, {
    queue,
    accept: { '/orders': { task: work, batch: 10, callback: (url) => hooks.to({ url }) } },
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => queue.close())
  onTestFinished(() => app.close())
  queue.work()
  const post = (path: string, body: object): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return { post, queue }
}

test('the callbackUrl of a request is told of the end of its job, however it ends', async () => {
  const { url: callbackUrl, requests } = await receiver()
  const { post } = await api(() => true)
  const { id } = (await (await post('/orders', { n: 1, callbackUrl })).json()) as { id: string }
  await post('/orders', { n: -1, callbackUrl })
  await vi.waitFor(() => expect(requests).toHaveLength(2), 10_000)
  const events = requests.map(({ headers, body }) => verify(headers, body, secret))
  expect(events).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'job.done', data: expect.objectContaining({ id, result: { n: 1 } }) }),
      expect.objectContaining({
        type: 'job.dead',
        data: expect.objectContaining({ error: expect.objectContaining({ code: 'HANDLER_FAILED' }) }),
      }),
    ]),
  )
})

test('a callbackUrl inside the network, or that is none, is refused before a job is accepted', async () => {
  const { post, queue } = await api()
  for (const callbackUrl of ['http://127.0.0.1/x', 'https://[::1]/', 'ftp://example.com/', 'cat', '']) {
    const answer = await post('/orders', { n: 1, callbackUrl })
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'WEBHOOK_REFUSED' }])
  }
  const answer = await post('/orders', { n: 1, callbackUrl: 7 })
  expect([answer.status, await answer.json()]).toMatchObject([422, { errors: [{ path: 'callbackUrl' }] }])
  expect((await queue.find()).jobs).toEqual([])
})

test('each item of a batch may have its own callbackUrl', async () => {
  const { url: callbackUrl, requests } = await receiver()
  const { post } = await api(() => true)
  const answer = await post('/orders/batch', {
    items: [{ input: { n: 1, callbackUrl } }, { input: { n: 2 } }],
  })
  expect(answer.status).toBe(207)
  await vi.waitFor(() => expect(requests).toHaveLength(1), 10_000)
})
