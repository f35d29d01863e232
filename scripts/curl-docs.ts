import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const root = join(import.meta.dirname, '..')
export const page: string = join(root, 'docs/guide/http.md')

const CONSOLE = /^```console\n([\s\S]*?)^```$/gm
const PORT = 'localhost:3000'

/** The page with what its curl commands print today, against the server that the page shows. */
export async function withAnswers(markdown: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'offload-curl-docs-'))
  const port = await freePort()
  furnish(folder, markdown, port)
  const server = spawn(process.execPath, ['--conditions=offload-source', 'server.ts'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const gone = once(server, 'exit')
  try {
    await answers(port, gone)
    const ids = new Ids()
    const written: string[] = []
    for (const [block, inside = ''] of markdown.matchAll(CONSOLE)) {
      let told = ''
      for (const command of inside.split('\n').filter((line) => line.startsWith('$ '))) {
        const output = await curl(ids.real(command.slice(2)).replace(PORT, `127.0.0.1:${port}`))
        told += `${command}\n${steady(ids.shown(output))}`
      }
      written.push(block.replace(inside, () => told))
    }
    return markdown.replace(CONSOLE, () => written.shift() ?? '')
  } finally {
    server.kill()
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The server that the page shows, with what it imports. */
function furnish(folder: string, markdown: string, port: number): void {
  const [, module = ''] = /^```ts\n(\/\/ server\.ts\n[\s\S]*?)^```$/m.exec(markdown) ?? []
  writeFileSync(join(folder, 'server.ts'), module.replace('port: 3000', `port: ${port}, host: '127.0.0.1'`))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/offload'), 'junction')
  for (const name of ['zod', 'fastify'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
}

/** Ids are others in each run: the first that is met is shown as job1, and so on. */
class Ids {
  readonly #met: string[] = []

  shown(text: string): string {
    return text.replace(/\b[0-9a-hjkmnp-tv-z]{30}\b/g, (id) => {
      if (!this.#met.includes(id)) this.#met.push(id)
      return shownId(this.#met.indexOf(id))
    })
  }

  real(text: string): string {
    return this.#met.reduce((told, id, index) => told.replaceAll(shownId(index), id), text)
  }
}

const shownId = (index: number): string => `01m8a${'job'.padStart(24, '0')}${index + 1}`

async function curl(command: string): Promise<string> {
  const child = spawn('sh', ['-c', command.replace(/^curl/, 'curl -sS')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  await once(child, 'close')
  return out.endsWith('\n') ? out : `${out}\n`
}

/** What differs from one run to the next, made the same, and without what every server says. */
function steady(output: string): string {
  return output
    .replaceAll('\r', '')
    .replace(/^(?:Date|Connection|Keep-Alive|Transfer-Encoding): .*\n/gim, '')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2030-01-31T12:00:00.000Z')
    .replace(/^(etag: )".*"$/gim, '$1"pbrjLrXmEKHCPLrPCZvRgQ"')
    .replace(/\n+$/, '\n')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function answers(port: number, gone: Promise<unknown>): Promise<void> {
  let isGone = false
  void gone.then(() => {
    isGone = true
  })
  while (!isGone) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (answer !== undefined) return
    await wait(50)
  }
  throw new Error('the server of the page did not start')
}

if (import.meta.main) writeFileSync(page, await withAnswers(readFileSync(page, 'utf8')))
