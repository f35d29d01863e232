import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import type { Guard, Received } from '../src/http/webhooks/send.ts'
import { send } from '../src/http/webhooks/send.ts'
import { checkUrl } from '../src/http/webhooks/url.ts'
import { listening, receiver } from './webhook-receiver.ts'

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'fixtures/webhook-tls', name), 'utf8')

const guard: Guard = {
  allow: (address) => address === '127.0.0.1',
  lookup: async () => [{ address: '127.0.0.1' }],
  timeoutMs: 10_000,
  clock: systemClock,
}
const post = (url: string): Promise<Received> =>
  send(
    { method: 'POST', url: checkUrl(url, guard.allow), headers: {}, body: Buffer.from('{}') },
    guard,
    new AbortController().signal,
  )

test('over TLS the name of the URL is asked for and must be the one in a trusted certificate', async () => {
  const seen: unknown[] = []
  const certificate = fixture('certificate.pem')
  const server = createServer({ key: fixture('key.pem'), cert: certificate }, (request, response) => {
    seen.push((request.socket as unknown as { servername: unknown }).servername, request.headers.host)
    response.writeHead(204).end()
  })
  const port = await listening(server)
  onTestFinished(() => void server.close())
  await expect(post(`https://hooks.customer.example:${port}/`)).rejects.toMatchObject({
    code: 'WEBHOOK_FAILED',
    message: expect.stringContaining('SELF_SIGNED'),
  })

  const before = getCACertificates('default')
  setDefaultCACertificates([...before, certificate])
  onTestFinished(() => setDefaultCACertificates(before))
  expect((await post(`https://hooks.customer.example.:${port}/`)).status).toBe(204)
  for (const host of ['other.customer.example', '127.0.0.1'])
    await expect(post(`https://${host}:${port}/`)).rejects.toMatchObject({
      code: 'WEBHOOK_FAILED',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    })
  expect(seen).toEqual(['hooks.customer.example', `hooks.customer.example:${port}`])
})

test('proxies of the environment, which other requests take, see nothing of a webhook', async () => {
  const proxy = await receiver()
  const target = await receiver()
  const source = (name: string): string => pathToFileURL(join(import.meta.dirname, '../src', name)).href
  const { origin } = new URL(proxy.url)
  const script = `
    import http from 'node:http'
    import { systemClock } from '${source('clock.ts')}'
    import { send } from '${source('http/webhooks/send.ts')}'
    await new Promise((resolve) => http.get('${target.url}?plain', (answer) => answer.resume().on('end', resolve)))
    const guard = { allow: () => true, lookup: async () => [], timeoutMs: 10_000, clock: systemClock }
    const url = new URL('${target.url}?webhook')
    await send({ method: 'POST', url, headers: {} }, guard, new AbortController().signal)
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      ...process.env,
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: origin,
      http_proxy: origin,
      NO_PROXY: '',
    },
    stdio: 'inherit',
  })
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
  expect(proxy.requests.map(({ path }) => path)).toEqual([`${target.url}?plain`])
  expect(target.requests.map(({ path }) => path)).toEqual(['/hook?webhook'])
})
