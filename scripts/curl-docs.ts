import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Offload } from 'offload'
import { offload } from 'offload'
import { laidOut } from './curl-docs/layout.ts'
import { Names } from './curl-docs/names.ts'
import type { Running, Started } from './curl-docs/servers.ts'
import { furnish, shell, start } from './curl-docs/servers.ts'
import type { Module, Transcript } from './curl-docs/transcripts.ts'
import { modulesOf, transcriptsOf, withTranscripts } from './curl-docs/transcripts.ts'

export const page: string = join(import.meta.dirname, '../docs/guide/http.md')

const QUEUES = ['default', 'reports']

/** The page with what its curl commands print today, against the servers that the page shows. */
export async function withAnswers(markdown: string): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'offload-curl-docs-')))
  const modules = modulesOf(markdown)
  furnish(folder, modules)
  const queue = offload({ url: `sqlite:${join(folder, 'offload.db')}`, tasks: [] })
  const servers = new Map<number, Running>()
  try {
    for (const [port, module] of firstAt(modules)) servers.set(port, await start(folder, module))
    const session = new Session(folder, queue, servers)
    const told: string[] = []
    for (const transcript of transcriptsOf(markdown)) told.push(await session.made(transcript))
    await session.settled()
    return withTranscripts(markdown, told)
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()))
    await queue.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The modules of the page that listen: the first one at each port. The others say the same in other words. */
function firstAt(modules: readonly Module[]): Map<number, Module> {
  const first = new Map<number, Module>()
  for (const module of modules)
    if (module.port !== undefined && !first.has(module.port)) first.set(module.port, module)
  return first
}

/** One reader of the page, who types in one command after the other. */
class Session {
  readonly #folder: string
  readonly #queue: Offload
  readonly #servers: ReadonlyMap<number, Running>
  readonly #names = new Names()
  #behind: Started[] = []

  constructor(folder: string, queue: Offload, servers: ReadonlyMap<number, Running>) {
    this.#folder = folder
    this.#queue = queue
    this.#servers = servers
  }

  async made({ commands, workers, lines }: Transcript): Promise<string> {
    if (workers !== 'resumed') await this.settled()
    if (workers === 'paused') for (const queue of QUEUES) await this.#queue.pause(queue)
    const told: string[] = []
    for (const [index, command] of commands.entries()) {
      const goesOn = workers === 'resumed' && index === 0
      told.push(`${command}\n${laidOut(await this.#output(command, goesOn), lines)}`)
    }
    return told.join('')
  }

  /** Waits until the workers have done all that there is, and so have the commands that were left behind. */
  async settled(): Promise<void> {
    await this.#resume()
    await Promise.all(this.#behind.map(({ ended }) => ended))
    this.#behind = []
    while (!(await this.#isIdle())) await wait(20)
  }

  /** What a command prints; nothing for one that is left behind with `&`, once its job is accepted. */
  async #output(command: string, goesOn: boolean): Promise<string> {
    const line = this.#reached(this.#names.real(command.slice(2)))
    if (line.endsWith('&')) {
      const before = await this.#jobs()
      this.#behind.push(shell(line.slice(0, -1), this.#folder))
      while ((await this.#jobs()) === before) await wait(20)
      return ''
    }
    const started = shell(line, this.#folder)
    if (goesOn) {
      await started.printed
      await this.#resume()
    }
    return this.#names.shown(await started.ended)
  }

  #reached(command: string): string {
    return command.replaceAll(/localhost:(\d+)/g, (_, port: string) => {
      const server = this.#servers.get(Number(port))
      if (server === undefined) throw new Error(`no server of the page listens at ${port}: ${command}`)
      return `127.0.0.1:${server.port}`
    })
  }

  async #resume(): Promise<void> {
    for (const queue of QUEUES) await this.#queue.resume(queue)
  }

  async #isIdle(): Promise<boolean> {
    const depths = await Promise.all(QUEUES.map((queue) => this.#queue.depth(queue)))
    return depths.every(({ ready, running, scheduled }) => ready === 0 && running === 0 && scheduled === 0)
  }

  async #jobs(): Promise<number> {
    return (await this.#queue.find({ limit: 1000 })).jobs.length
  }
}

/**
 * The first line that the servers say otherwise; undefined where there is none. How many steps of a job are told is a matter of
 * milliseconds, so it is no difference.
 */
export function difference(shown: string, told: string): string | undefined {
  const [left, right] = [comparable(shown), comparable(told)]
  const index = Array.from({ length: Math.max(left.length, right.length) }).findIndex(
    (_, at) => left[at] !== right[at],
  )
  if (index === -1) return undefined
  return `the page says\n  ${left[index] ?? 'no more'}\nand the server\n  ${right[index] ?? 'no more'}`
}

function comparable(markdown: string): string[] {
  return markdown
    .replaceAll(/^id: \d+\nevent: progress\ndata: .*\n\n/gm, '')
    .replaceAll(/^id: \d+$/gm, 'id: 1')
    .split('\n')
}

if (import.meta.main) {
  const markdown = readFileSync(page, 'utf8')
  const current = await withAnswers(markdown)
  if (!process.argv.includes('--check')) writeFileSync(page, current)
  else {
    const found = difference(markdown, current)
    if (found !== undefined) {
      console.error(
        `${found}\nrun node --conditions=offload-source scripts/curl-docs.ts and look at what changed`,
      )
      process.exitCode = 1
    }
  }
}
