import { blockingApp } from './blocking.ts'
import { openQueue, queuedApp } from './queued.ts'

const customer = { name: 'Ada', email: 'ada@example.com' }

async function signUp(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/signup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(customer),
  })
}

const blocking = blockingApp()
const before = await signUp(await blocking.listen({ port: 0 }))
console.log('in the request:', before.status)
await blocking.close()

const queue = openQueue()
const worker = queue.work({ concurrency: 50 }) // in this process, or in others
const app = queuedApp(queue)
const url = await app.listen({ port: 0 })

const key = { 'idempotency-key': '"signup-of-ada"' }
const first = await signUp(url, key)
const again = await signUp(url, key) // an impatient customer, or a network that cut the first answer
const job = first.headers.get('location') ?? ''
console.log('queued:', first.status, '| again:', again.status, again.headers.get('location') === job)

const follow = await fetch(url + job, { headers: { accept: 'application/json' } })
console.log(
  'meanwhile:',
  follow.status,
  ((await follow.json()) as { state: string }).state === 'done' ? 'done' : 'on its way',
)

console.log('later:', await queue.result(job.replace('/jobs/', ''), { timeout: '30s' }))
await app.close()
await worker.stop()
await queue.close()
