import { setTimeout as wait } from 'node:timers/promises'
import { offload } from 'offload'
import { expect, onTestFinished, test } from 'vitest'
import { startServer, storeFile } from './processes.ts'
import { json, problem } from './shop.ts'
import { tasks } from './tasks.ts'

const REQUESTS = 200

interface Reply {
  readonly status: number
  readonly id: string
  readonly isReplayed: boolean
}

/** Asks one server after the other until one answers for good, as a client behind a balancer does. */
class Client {
  readonly #servers: readonly string[]
  readonly refusals: { status: number; retryAfter: string | null }[] = []
  failures = 0

  constructor(servers: readonly string[]) {
    this.#servers = servers
  }

  post(at: number, text: string, key: string): Promise<Response> {
    return fetch(`${this.#servers[at % this.#servers.length]}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ text }),
    })
  }

  async insist(first: number, text: string, key: string): Promise<Reply> {
    for (let at = first; ; at++) {
      try {
        const answer = await this.post(at, text, key)
        const body = (await answer.json()) as { id: string }
        if (answer.status === 202)
          return { status: 202, id: body.id, isReplayed: answer.headers.has('idempotent-replayed') }
        this.refusals.push({ status: answer.status, retryAfter: answer.headers.get('retry-after') })
      } catch {
        this.failures++
      }
      await wait(20)
    }
  }
}

for (const answered of [0, 1, 40])
  test(`of 200 equal requests at two servers, one killed after ${answered} answers, one job comes, and every answer names it`, async () => {
    const file = storeFile()
    const [one, two] = await Promise.all([startServer({ file }), startServer({ file })])
    const client = new Client([one.url, two.url])
    let count = 0
    let onCount: () => void = () => {}
    const enough = new Promise<void>((resolve) => {
      onCount = () => {
        if (count >= answered) resolve()
      }
    })
    const racing = Array.from({ length: REQUESTS }, async (_, n) => {
      const reply = await client.insist(n, 'a', '"the order"')
      count++
      onCount()
      return reply
    })
    onCount()
    await enough
    await one.end('SIGKILL')
    const replies = await Promise.all(racing)

    const queue = offload({ url: `sqlite:${file}`, tasks })
    onTestFinished(() => queue.close())
    const { jobs } = await queue.find()
    expect(jobs).toHaveLength(1)
    expect(new Set(replies.map(({ id }) => id))).toEqual(new Set([jobs[0]?.id]))
    expect(replies.filter(({ isReplayed }) => !isReplayed).length).toBeLessThanOrEqual(1)
    // 503: on a busy machine the store may not take a call in time, and says so.
    const honest = [
      { status: 409, retryAfter: '1' },
      { status: 503, retryAfter: '5' },
    ]
    for (const refusal of client.refusals) expect(honest).toContainEqual(refusal)
    expect(client.failures).toBeGreaterThan(0)

    const again = await startServer({ file })
    for (const { url } of [two, again]) {
      const other = new Client([url])
      expect(await json(await other.post(0, 'a', '"the order"'), 202)).toMatchObject({ id: jobs[0]?.id })
      await problem(await other.post(0, 'b', '"the order"'), 422, 'IDEMPOTENCY_MISMATCH')
    }
    expect((await queue.find()).jobs).toHaveLength(1)
  })
