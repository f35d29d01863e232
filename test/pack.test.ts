import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const folder = mkdtempSync(join(tmpdir(), 'offload-pack-'))
const project = join(folder, 'project')
const published = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
const copied = [...published, 'CONTRIBUTING.md', 'tsconfig.json', 'tsconfig.build.json', 'src', 'test']
let packed: string[] = []

const hello = `
import { offload, task } from 'offload'
import { z } from 'zod'

const hello = task('hello', {
  input: z.object({ name: z.string() }),
  async run({ name }) { return \`hello \${name}\` },
})
const queue = offload({ url: 'sqlite:offload.db', tasks: [hello] })
`

const roundTrip = `${hello}
const worker = queue.work()
const handle = await queue.enqueue(hello, { name: 'you' })
console.log(await handle.result({ timeout: '5s' }))
await worker.stop()
await queue.close()
`

interface Outcome {
  status: number | null
  output: string
}

function run(cwd: string, program: string, ...args: string[]): Outcome {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 90_000,
    shell: process.platform === 'win32',
  })
  return { status, output: error ? error.message : stdout + stderr }
}

function succeed(cwd: string, program: string, ...args: string[]): string {
  const { status, output } = run(cwd, program, ...args)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${output}`)
  return output
}

/** A copy of what matters here, built there, so that no test of the package touches dist/. */
function buildCopy(): string {
  const copy = join(folder, 'copy')
  for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(modules, join(copy, 'node_modules'), 'junction')
  succeed(copy, join(modules, '.bin/tsc'), '-p', 'tsconfig.build.json')
  succeed(root, process.execPath, 'scripts/web.ts', join(copy, 'dist/dashboard/page'))
  return copy
}

/** Installs the tarball without a network: its dependencies come from this repository's node_modules. */
function installIn(target: string, tarball: string): void {
  const own = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
  const local = [...own, 'zod', '@types/node', 'undici-types'].map((name) => join(modules, name))
  mkdirSync(target)
  writeFileSync(join(target, 'package.json'), '{ "name": "project", "private": true, "type": "module" }')
  succeed(
    target,
    'npm',
    'install',
    '--offline',
    '--install-links',
    '--no-audit',
    '--no-fund',
    tarball,
    ...local,
  )
}

/** Jest as a user has it: modules as they are, and its own look for what keeps the process alive. */
function runJest(file: string): Outcome {
  const jest = join(modules, 'jest/bin/jest.js')
  const config = JSON.stringify({
    rootDir: project,
    testMatch: ['**/*.jest.mjs'],
    moduleFileExtensions: ['mjs', 'js', 'json'],
    transform: {},
  })
  const vm = '--experimental-vm-modules'
  return run(project, process.execPath, vm, jest, '--ci', '--detectOpenHandles', '--config', config, file)
}

function typeCheck(name: string, code: string): Outcome {
  writeFileSync(join(project, name), code)
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
  return run(project, join(modules, '.bin/tsc'), ...options, name)
}

beforeAll(() => {
  const copy = buildCopy()
  const [report] = JSON.parse(succeed(copy, 'npm', 'pack', '--json', '--ignore-scripts', '--silent'))
  packed = report.files.map((file: { path: string }) => file.path)
  installIn(project, join(copy, report.filename))
  cpSync(join(root, 'test/fixtures/testing-kit'), join(project, 'kit'), { recursive: true })
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the package holds the build and its papers, no source and no test', () => {
  expect(packed.filter((path) => !path.startsWith('dist/')).sort()).toEqual(published)
  expect(packed.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path))).toEqual([])
  expect(packed.filter((path) => /\.test(-d)?\./.test(path))).toEqual([])
})

test('every entry point of the package is in it', async () => {
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
  const exported = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : [entry.types, entry.default],
  )
  const targets = [...exported, ...Object.values(manifest.bin)]
  expect(targets.map((target) => target.replace('./', '')).filter((path) => !packed.includes(path))).toEqual(
    [],
  )
})

test('an installed package runs a job and gives its result', () => {
  writeFileSync(join(project, 'hello.js'), roundTrip)
  expect(run(project, process.execPath, 'hello.js')).toMatchObject({ status: 0, output: 'hello you\n' })
})

test('an installed package brings the program, which knows the queue', () => {
  const offload = join(project, 'node_modules/.bin/offload')
  expect(run(project, offload, '--version').output).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(run(project, offload, 'jobs', '--url', 'sqlite:offload.db').output).toContain('hello')
})

test('an installed package types the round trip', () => {
  expect(typeCheck('good.ts', roundTrip)).toEqual({ status: 0, output: '' })
})

test('an installed package serves the dashboard, typed, with its page', () => {
  const board = `
import { createServer } from 'node:http'
import { offload } from 'offload'
import { dashboard } from 'offload/dashboard'

const queue = offload({ url: 'sqlite:offload.db', tasks: [] })
const board = dashboard(queue, { authorize: (request, action) => request.method === 'GET' && action === 'view' })
createServer((req, res) => board.node(req, res))
const page = await board(new Request('http://shop/offload/'))
const html = (await page?.text()) ?? ''
const [, script = ''] = /src="\\.\\/([^"]+)"/.exec(html) ?? []
const file = await board(new Request('http://shop/offload/' + script))
const jobs = await board(new Request('http://shop/offload/api/jobs'))
console.log(page?.status, file?.headers.get('content-type'), (await jobs?.text())?.includes('hello'))
await queue.close()
`
  expect(typeCheck('board.ts', board)).toEqual({ status: 0, output: '' })
  writeFileSync(join(project, 'board.mjs'), board)
  expect(run(project, process.execPath, 'board.mjs')).toMatchObject({
    status: 0,
    output: '200 text/javascript; charset=utf-8 true\n',
  })
})

test('an installed package types a page, which knows nothing of Node', () => {
  const page = `
import type { Task } from 'offload/client'
import { offloadClient } from 'offload/client'

const client = offloadClient<{ '/reports': Task<{ size: number }, { url: string }> }>({
  headers: () => ({ authorization: 'x' }),
  fetch: (url, init) => fetch(url, { ...init, credentials: 'include' }),
})
const job = await client.submit('/reports', { size: 1 })
for await (const event of client.follow(job)) document.title = event.type
location.href = (await client.wait(job)).url
`
  writeFileSync(join(project, 'page.ts'), page)
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', '']
  expect(run(project, join(modules, '.bin/tsc'), ...options, '--lib', 'es2024,dom', 'page.ts')).toEqual({
    status: 0,
    output: '',
  })
})

test('an installed package refuses a payload of the wrong type', () => {
  const { status, output } = typeCheck('bad.ts', `${hello}\nawait queue.enqueue(hello, { name: 7 })\n`)
  const errors = output.split('\n').filter((line) => line.includes('error TS'))
  expect(status).not.toBe(0)
  expect(errors).toEqual([expect.stringMatching(/^bad\.ts.*'number' is not assignable to .*'string'/)])
})

test("a user's tests of an installed package pass in Jest and leave nothing open", () => {
  const { status, output } = runJest('kit/good.jest.mjs')
  expect(output).toMatch(/Tests: +4 passed, 4 total/)
  expect(output).not.toMatch(/open handle|did not exit/)
  expect(status).toBe(0)
})

test("a user's mistakes turn a test in Jest red", () => {
  const { status, output } = runJest('kit/bad.jest.mjs')
  expect(output).toMatch(/Tests: +2 failed, 2 total/)
  expect(output).toMatch(/of task "endless" has not ended for 200 ms of real time/)
  expect(output).not.toMatch(/open handle|did not exit/)
  expect(status).toBe(1)
})

test("a user's tests of an installed package pass in the test runner of Node", () => {
  const { status, output } = run(project, process.execPath, '--test', 'kit/good.node.mjs')
  expect(output).toMatch(/pass 2\n.*fail 0\n/)
  expect(status).toBe(0)
})

test("a user's mistakes turn a test in the test runner of Node red", () => {
  const { status, output } = run(project, process.execPath, '--test', 'kit/bad.node.mjs')
  expect(output).toMatch(/pass 0\n.*fail 2\n/)
  expect(output).toMatch(/of task "endless" has not ended for 200 ms of real time/)
  expect(status).toBe(1)
})
