import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../src/clock.ts'
import type { EndedJob } from '../src/http/webhooks/index.ts'
import { generateSecret, isPublicAddress, webhooks } from '../src/http/webhooks/index.ts'
import type { Guard } from '../src/http/webhooks/send.ts'
import { send } from '../src/http/webhooks/send.ts'
import { checkAddress, checkUrl } from '../src/http/webhooks/url.ts'
import { OffloadError, offload } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import type { Trick } from './webhook-corpus.ts'
import { corpus } from './webhook-corpus.ts'
import { listening, receiver } from './webhook-receiver.ts'

const page = join(import.meta.dirname, '../docs/reference/webhook-addresses.md')
const tricks = corpus.flatMap(({ tricks }) => tricks)
const results = new Map<Trick, string>()

let port = 0
let connections = 0
const listener = createServer((socket) => {
  connections++
  socket.destroy()
})

beforeAll(async () => {
  port = await listening(listener, '::').catch(() => listening(listener, '0.0.0.0'))
})
afterAll(() => void listener.close())

const guardFor = ({ answers = [] }: Trick, allow?: Guard['allow']): Guard => ({
  allow,
  lookup: async () => answers.map((address) => ({ address })),
  timeoutMs: 5000,
  clock: systemClock,
})

const here = (url: string): string => url.replace(':8443', `:${port}`)

/** What happens to the trick: refused with its URL, refused when looked up, or the code of how the request ended. */
async function resultOf(trick: Trick, allow?: Guard['allow']): Promise<string> {
  const guard = guardFor(trick, allow)
  let url: URL
  try {
    url = checkUrl(here(trick.url), allow)
  } catch (error) {
    return `refused with the URL: ${reasonOf(error)}`
  }
  try {
    await send(
      { method: 'POST', url, headers: {}, body: Buffer.from('{}') },
      guard,
      new AbortController().signal,
    )
    return 'sent'
  } catch (error) {
    const isRefused = error instanceof OffloadError && error.code === 'WEBHOOK_REFUSED'
    return isRefused ? `refused when looked up: ${reasonOf(error)}` : `tried: ${reasonOf(error)}`
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof OffloadError)) throw error
  return error.message.replace('this webhook is not called: ', '').replace(`:${port}`, ':8443')
}

test.each(tricks)('$url ($answers) reaches nobody', async (trick) => {
  const before = connections
  const result = await resultOf(trick)
  results.set(trick, result)
  expect(result).toMatch(/^refused/)
  expect(connections).toBe(before)
})

test('the same tricks do reach the listener where every address is allowed, so that it would have told', async () => {
  const before = connections
  const outcomes = new Map<string, string>()
  for (const trick of tricks) {
    const isLoopback = (address: string): boolean =>
      /^(127\.|::1$|::ffff:7f00:1$|::ffff:127\.|0\.0\.0\.0$)/.test(address)
    outcomes.set(trick.url, await resultOf(trick, isLoopback))
  }
  const reached = [...outcomes.values()].filter((result) => result.startsWith('tried'))
  expect(reached.length).toBeGreaterThan(20)
  expect(connections - before).toBeGreaterThan(20)
})

test('every trick and its result stand in the reference', async () => {
  expect(results.size).toBe(tricks.length)
  expect(tricks.length).toBeGreaterThan(100)
  await expect(reference()).toMatchFileSnapshot(page)
})

test.each([
  ['https://hooks.customer.example/', '8.8.8.8'],
  ['https://hooks.customer.example:8443/a?b=c', '2606:4700:4700::1111'],
  ['https://HOOKS.customer.example.:443/#part', '1.1.1.1'],
  ['https://bücher.example/', '64:ff9b::808:808'],
  ['https://8.8.8.8/', '8.8.8.8'],
  ['https://[2606:4700:4700::1111]:8443/', '2606:4700:4700::1111'],
])('%s at %s may be called', (text, address) => {
  const url = checkUrl(text, undefined)
  expect(() => checkAddress(address, url, undefined)).not.toThrow()
  expect([url.hash, url.hostname.endsWith('.')]).toEqual(['', false])
})

test('a name that changes its answer is looked up once, and that answer is connected to', async () => {
  const seen: string[] = []
  const good = createServer((socket) => {
    seen.push(String(socket.localAddress))
    socket.end('HTTP/1.1 204 No Content\r\n\r\n')
  })
  const goodPort = await listening(good, '127.0.0.2')
  const victim = createServer((socket) => {
    seen.push(String(socket.localAddress))
    socket.destroy()
  })
  await new Promise<void>((resolve) => victim.listen(goodPort, '127.0.0.1', resolve))
  onTestFinished(() => {
    good.close()
    victim.close()
  })
  const answers = [['127.0.0.2'], ['127.0.0.1'], ['127.0.0.1']]
  const lookup = vi.fn(async () => (answers.shift() ?? []).map((address) => ({ address })))
  const allow = (address: string): boolean => address === '127.0.0.2'
  const guard: Guard = { allow, lookup, timeoutMs: 5000, clock: systemClock }
  const url = checkUrl(`http://rebind.example:${goodPort}/`, allow)
  const signal = new AbortController().signal
  expect((await send({ method: 'POST', url, headers: {} }, guard, signal)).status).toBe(204)
  expect(lookup).toHaveBeenCalledExactlyOnceWith('rebind.example')
  await expect(send({ method: 'POST', url, headers: {} }, guard, signal)).rejects.toMatchObject({
    code: 'WEBHOOK_REFUSED',
  })
  expect(seen).toEqual(['127.0.0.2'])
})

test('where the first address of a name does not answer, the next is tried', async () => {
  const { url: base, requests } = await receiver()
  const answers = [{ address: '127.0.0.9' }, { address: '127.0.0.1' }]
  const guard: Guard = { allow: () => true, lookup: async () => answers, timeoutMs: 5000, clock: systemClock }
  const url = checkUrl(base.replace('127.0.0.1', 'two.example'), guard.allow)
  await send({ method: 'POST', url, headers: {} }, guard, new AbortController().signal)
  expect(requests).toMatchObject([{ headers: { host: url.host } }])
})

test.each([301, 302, 303, 307, 308])(
  'a redirect to the network inside (%i) reaches nobody',
  async (status) => {
    const before = connections
    const { url: from } = await receiver((response) =>
      response
        .writeHead(status, { location: here('http://127.0.0.1:8443/'), refresh: '0; url=http://[::1]/' })
        .end(),
    )
    const guard = guardFor({ url: from }, () => true)
    const answer = await send(
      { method: 'POST', url: checkUrl(from, guard.allow), headers: {} },
      guard,
      new AbortController().signal,
    )
    expect([answer.status, connections]).toEqual([status, before])
  },
)

test('http goes to addresses that are let in, never to public ones', () => {
  const everything = (): boolean => true
  const url = checkUrl('http://hooks.customer.example/', everything)
  expect(() => checkAddress('10.0.0.1', url, everything)).not.toThrow()
  expect(() => checkAddress('8.8.8.8', url, everything)).toThrow('must begin with https://')
})

test('allow() is told the address and the URL, and may say no to public ones too', () => {
  const allow = vi.fn(
    (address: string, url: URL) => isPublicAddress(address) && url.hostname.endsWith('.good.example'),
  )
  const good = checkUrl('https://a.good.example/', allow)
  const bad = checkUrl('https://good.example.evil.example/', allow)
  expect(() => checkAddress('8.8.8.8', good, allow)).not.toThrow()
  expect(() => checkAddress('8.8.8.8', bad, allow)).toThrow('may not be called')
  expect(() => checkAddress('10.0.0.1', good, allow)).toThrow('may not be called')
  expect(allow.mock.calls[0]).toEqual(['8.8.8.8', good])
})

test('a delivery to a name that leads inside is a dead letter after one attempt, and its receiver stays enabled', async () => {
  const before = connections
  const lookup = vi.fn(async () => [{ address: '127.0.0.1' }])
  const hooks = webhooks({ secrets: [generateSecret()], lookup })
  const queue = offload({ url: 'memory:', tasks: [hooks.task], logger: silentLogger })
  onTestFinished(() => queue.close())
  queue.work()
  const { task, data } = hooks.to({ url: here('https://hooks.customer.example:8443/') })
  const ended: EndedJob = {
    id: 'a',
    task: 't',
    queue: 'q',
    state: 'done',
    attempt: 1,
    createdAt: 0,
    endedAt: 0,
  }
  const stored = { url: 'https://127.0.0.1/' } // as an older release may have let through
  for (const [target, calls] of [
    [data, 1],
    [stored, 1],
  ] as const) {
    const { id } = await queue.enqueue(task, { ...ended, data: target })
    await vi.waitFor(async () => expect((await queue.get(id))?.state).toBe('dead'), { timeout: 10_000 })
    expect(await queue.get(id)).toMatchObject({ attempt: 1, error: { code: 'WEBHOOK_REFUSED' } })
    expect(lookup).toHaveBeenCalledTimes(calls)
  }
  expect(connections).toBe(before)
  expect(await hooks.disabled()).toEqual([])
})

/** The page. `npx vitest run test/webhook-addresses.test.ts -u` writes it. */
function reference(): string {
  const code = (text: string): string =>
    `\`${text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))}\``
  const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 40)}…` : text)
  const row = (trick: Trick): string => {
    const answers = trick.answers?.map(code).join(', ') ?? ''
    const url = trick.url === '' ? 'nothing at all' : code(short(trick.url))
    return `| ${url} | ${answers} | ${results.get(trick)?.replace('refused ', '').replace(': ', ' | ')} |`
  }
  const chapters = corpus.map(
    ({ title, tricks }) =>
      `## ${title}\n\n| URL | DNS answers | refused | why |\n|---|---|---|---|\n${tricks.map(row).join('\n')}\n`,
  )
  return `# Which addresses a webhook may call

A URL is https, holds no user or password, has port 443, 80 or one from 1024 up, and is at most 2048 characters long. Its host is
looked up once for each attempt; **every** address it has must be global unicast (an IPv4 address mapped into IPv6 or behind the
NAT64 prefix \`64:ff9b::/96\` counts as what it is; tunnels such as 6to4 and Teredo count as not public), and only those addresses
are connected to. Redirects are not followed, proxies of the environment are not used, connections are not kept.

\`allow: (address, url) => boolean\` decides instead of "is public", e.g.
\`allow: (address) => address === '10.0.0.5' || isPublicAddress(address)\`. With it http goes too, but never to a public address.

A prefix that a network chose for its own NAT64 cannot be known: keep such a network from reaching inside addresses through it.

Each of these ${tricks.length} was tried with a listener on this host, port 8443 standing for its own, that counts its connections: none came.
The table is written by \`test/webhook-addresses.test.ts\`.

${chapters.join('\n')}`
}
