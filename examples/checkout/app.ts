import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { generateSecret, webhooks } from 'offload/webhooks'
import { z } from 'zod'
import { openMerchant } from './merchant.ts'
import { charge, charges } from './provider.ts'

const secret = generateSecret()
const hooks = webhooks({
  secrets: [secret],
  allow: () => true, // this merchant lives on this machine; in production only public addresses are called
})

const pay = task('payment.charge', {
  input: z.object({ order: z.string(), cents: z.number().int().positive() }),
  retry: { attempts: 8, base: '50ms' },
  timeout: '30s',
  run: ({ order, cents }) => charge(order, cents), // the order is the provider's idempotency key
})

const queue = offload({ url: 'sqlite:checkout.db', tasks: [pay, hooks.task] })
const app = Fastify()
await app.register(offloadFastify, {
  queue,
  accept: {
    '/payments': {
      task: pay,
      idempotency: 'required', // ten times the traffic brings ten times the second clicks
      options: () => ({ priority: 9 }),
      callback: (url) => hooks.to({ url }),
    },
  },
})
const url = await app.listen({ port: 0 })
const worker = queue.work({ concurrency: 50 })
const { url: callbackUrl, server: merchant } = await openMerchant(secret)

const post = (key: string | undefined, cents: number): Promise<Response> =>
  fetch(`${url}/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify({ order: 'o-1', cents, callbackUrl }),
  })
const problemOf = async (answer: Response): Promise<string> =>
  `${answer.status} ${((await answer.json()) as { code: string }).code}`

const answers = await Promise.all([post('"click"', 4250), post('"click"', 4250), post('"click"', 4250)])
const locations = new Set(answers.map((answer) => answer.headers.get('location')).filter(Boolean))
console.log('three clicks, one job:', locations.size)
console.log('without a key:', await problemOf(await post(undefined, 4250)))
console.log('the key with another amount:', await problemOf(await post('"click"', 1)))

const [location = ''] = locations
console.log(
  'customer:',
  await queue.result(String(location).replace('/jobs/', '')),
  '| cards charged:',
  charges(),
)
while ((await queue.find({ queue: 'webhooks', state: 'done' })).jobs.length === 0) await sleep(20)

await worker.stop()
await app.close()
merchant.close()
await queue.close()
