import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { laidOut } from '../scripts/curl-docs/layout.ts'
import { Names } from '../scripts/curl-docs/names.ts'
import { furnish, start } from '../scripts/curl-docs/servers.ts'
import type { Module } from '../scripts/curl-docs/transcripts.ts'
import { modulesOf, transcriptsOf } from '../scripts/curl-docs/transcripts.ts'
import { difference, page, withAnswers } from '../scripts/curl-docs.ts'

const root = join(import.meta.dirname, '..')
const markdown = readFileSync(page, 'utf8')
const modules = modulesOf(markdown)

/** `--json` came with curl 7.82. */
function hasCurl(): boolean {
  const [, major, minor] = /^curl (\d+)\.(\d+)/.exec(spawnSync('curl', ['-V']).stdout?.toString() ?? '') ?? []
  return Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 82)
}

const isInstalled = hasCurl()
if (!isInstalled)
  console.warn(
    'SKIPPED: no curl of 7.82 or later is installed, so the guide is not compared with what it prints',
  )

test.skipIf(!isInstalled)(
  'the guide shows what its servers answer to curl',
  async () => expect(difference(markdown, await withAnswers(markdown))).toBeUndefined(),
  120_000,
)

test('an answer that is no longer so is named, one step more of a job is not', () => {
  expect(difference(markdown, markdown.replace('HTTP/1.1 409 Conflict', 'HTTP/1.1 200 OK'))).toContain(
    '200 OK',
  )
  expect(difference(markdown, markdown.replace(/id: 44\nevent: progress\n.*\n\n/, ''))).toBeUndefined()
  expect(difference(markdown, `${markdown}more\n`)).toContain('more')
  expect(difference(`${markdown}more\n`, markdown)).toContain('more')
})

test('every kind of answer is shown', () => {
  const shown = transcriptsOf(markdown).map(({ block }) => block)
  const statuses = shown.flatMap((block) =>
    [...block.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status)),
  )
  expect([...new Set(statuses)].sort()).toEqual([200, 202, 204, 207, 304, 400, 403, 409, 410, 422, 503])
})

describe('the modules of the guide', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })

  function furnished(): string {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'offload-http-guide-')))
    folders.push(folder)
    furnish(folder, modules)
    return folder
  }

  test('fit the types of the package', () => {
    const folder = furnished()
    const config = { extends: join(root, 'tsconfig.json'), include: ['*.ts', 'app'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  const handlers: Module = {
    path: 'serve.ts',
    port: 3000,
    code: `
      import { createServer } from 'node:http'
      import { nodeHandler } from 'offload/http/node'
      import * as route from './app/api/[...path]/route.ts'
      createServer(nodeHandler((request) => route[request.method](request))).listen(3000)
    `,
  }
  const servers = [...modules.filter(({ port }) => port === 3000), handlers]

  test.each(servers)('accept and show a job: $path', async (module) => {
    const folder = furnished()
    const server = await start(folder, module)
    try {
      const url = `http://127.0.0.1:${server.port}`
      const path = module === handlers ? '/api/quotes' : '/quotes'
      const accepted = await post(url + path, { pages: 120 })
      expect(accepted.status).toBe(202)
      const job = await fetch(url + accepted.headers.get('location'))
      expect(await job.json()).toMatchObject({ task: 'quote' })
      expect((await post(url + path, { pages: 0 })).status).toBe(422)
      expect((await fetch(`${url}/nowhere`)).status).toBe(404)
    } finally {
      await server.stop()
    }
  })

  test.each(servers.filter(({ code }) => code.includes("'/orders'")))(
    'accept in a route of their own, once under a key: $path',
    async (module) => {
      const folder = furnished()
      const server = await start(folder, module)
      try {
        const url = `http://127.0.0.1:${server.port}/orders`
        const key = { 'idempotency-key': '"o-1"' }
        const answers = [await post(url, { pages: 3 }, key), await post(url, { pages: 3 }, key)]
        expect(answers.map(({ status }) => status)).toEqual([202, 202])
        expect(answers[1]?.headers.get('idempotent-replayed')).toBe('true')
        const refused = await post(url, { pages: 'three' })
        expect(await refused.json()).toMatchObject({ status: 422, code: 'INPUT_INVALID' })
        const unread = await fetch(url, { method: 'POST', headers: json, body: '{"pages":' })
        expect([400, 422]).toContain(unread.status)
      } finally {
        await server.stop()
      }
    },
  )
})

const json = { 'content-type': 'application/json' }

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify(body),
  })
}

test('what differs in each run is shown by names that stay, and turned back in commands', () => {
  const names = new Names()
  const id = '01k7zq4m2ng8t3v6w9x0y1z2a3b4c5'
  const signature = 'a'.repeat(43)
  const shown = names.shown(
    `etag: "AAAA"\n\nid: 977\nevent: state\n/jobs/${id}/cancel?expires=1900000000&signature=${signature}`,
  )
  for (const real of [id, 'AAAA', '977', '1900000000', signature]) expect(shown).not.toContain(real)
  expect(names.real(shown)).toContain(`/jobs/${id}/cancel?expires=1900000000&signature=${signature}`)
  expect(names.real(shown)).toContain('etag: "AAAA"')
  expect(names.real('-H "Last-Event-ID: 41"')).toBe('-H "Last-Event-ID: 977"')
  expect(new Names().shown(shown)).toContain('000job1')
})

test('JSON is broken into lines and is otherwise what was sent', () => {
  const value = { a: 1, text: 'x'.repeat(90), list: [{ deep: 'y'.repeat(99), none: [] }, null], last: {} }
  const text = laidOut(`HTTP/1.1 200 OK\r\nDate: now\r\nvary: Prefer\r\n\r\n${JSON.stringify(value)}`, 99)
  const [head = '', body = ''] = text.split('\n\n')
  expect(head).toBe('HTTP/1.1 200 OK\nvary: Prefer')
  expect(JSON.parse(body)).toEqual(value)
  expect(body.split('\n').length).toBeGreaterThan(4)
})
