import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Module } from './transcripts.ts'
import { listeningAt } from './transcripts.ts'

const root = join(import.meta.dirname, '../..')

/** What the servers of the page read from their environment. */
const secrets = { OPERATOR_TOKEN: 'opera-7c1f', LINK_SECRET: 'a secret of this run alone' }

/** Writes the modules of the page into a folder, with the packages that they import. */
export function furnish(folder: string, modules: readonly Module[]): void {
  for (const { path, code } of modules) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), code)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/offload'), 'junction')
  for (const name of ['zod', 'fastify', 'express', 'hono', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
}

/** A server of the page, in a process of its own. */
export interface Running {
  readonly port: number
  stop(): Promise<void>
}

/** Starts a module at a free port, and waits until it answers. */
export async function start(folder: string, { path, code }: Module): Promise<Running> {
  const port = await freePort()
  writeFileSync(join(folder, path), listeningAt(port, code))
  const child = spawn(process.execPath, ['--conditions=offload-source', path], {
    cwd: folder,
    env: { ...process.env, ...secrets },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const gone = once(child, 'exit')
  await answers(port, child, path)
  return {
    port,
    stop: async () => {
      child.kill()
      await gone
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function answers(port: number, child: ChildProcess, path: string): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (answer !== undefined) return
    await wait(50)
  }
  throw new Error(`${path} of the page did not start`)
}

/** A command of the page that runs. */
export interface Started {
  /** It has printed something, or has ended. */
  readonly printed: Promise<void>
  readonly ended: Promise<string>
}

/** Runs a command line with curl in it, as a shell does; no settings of this machine change what it does. */
export function shell(command: string, folder: string): Started {
  const line = command.replace(/^curl /, 'curl -q --noproxy "*" --silent --show-error --max-time 60 ')
  const child = spawn('sh', ['-c', line], {
    cwd: folder,
    env: { ...process.env, ...secrets },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const ended = once(child, 'close').then(() => out)
  return { printed: Promise.race([once(child.stdout, 'data'), ended]).then(() => undefined), ended }
}
