import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import type { JobView, Offload } from '../../src/index.ts'
import { offload } from '../../src/index.ts'
import { hourly, others } from '../fixtures/cli/schedules.ts'
import { charge, hello } from '../fixtures/cli/tasks.ts'

const root = join(import.meta.dirname, '../..')
export const tasks: string = join(root, 'test/fixtures/cli/tasks.ts')
export const ownQueue: string = join(root, 'test/fixtures/cli/own-queue.ts')
export const schedules: string = join(root, 'test/fixtures/cli/schedules.ts')
/** What a shell runs as `offload`. */
export const program: readonly string[] = [
  process.execPath,
  '--conditions=offload-source',
  join(root, 'src/cli/main.ts'),
]

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A program that runs, and what it has written so far. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  out = ''
  err = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    child.stdin.on('error', () => {})
    this.ended = once(child, 'close').then(([code]) => ({ code, out: this.out, err: this.err }))
  }

  /** Resolves when it has written the text; fails when it ends without. */
  async says(text: string): Promise<void> {
    const gone = this.ended.then(() => true)
    while (!this.out.includes(text) && !this.err.includes(text))
      if ((await Promise.race([gone, wait(10)])) === true && !this.out.includes(text))
        throw new Error(`it ended without ${JSON.stringify(text)}: ${this.out}${this.err}`)
  }
}

/** An empty folder with a queue `jobs.db`, and the program run there. */
export class Desk {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'offload-cli-'))
  readonly url: string = `sqlite:${join(this.folder, 'jobs.db')}`

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  start(words: readonly string[], env: Record<string, string | undefined> = {}): Running {
    return this.spawn([...program, ...words], env)
  }

  spawn([command = '', ...args]: readonly string[], env: Record<string, string | undefined> = {}): Running {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...process.env, OFFLOAD_URL: 'sqlite:jobs.db', OFFLOAD_LEDGER: '', NO_COLOR: '', ...env },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return new Running(child)
  }

  /** Runs the program to its end. */
  run(...words: string[]): Promise<Ended> {
    const running = this.start(words)
    running.child.stdin.end()
    return running.ended
  }

  /** The answer of the program with `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer of a program is compared, not used
  async json(...words: string[]): Promise<any> {
    const { code, out, err } = await this.run(...words, '--json')
    if (code !== 0) throw new Error(`offload ${words.join(' ')} ended with ${code}: ${err}`)
    return JSON.parse(out)
  }

  async enqueue(...words: string[]): Promise<string> {
    return (await this.json('enqueue', ...words, '--module', tasks)).id
  }

  async peek<T>(look: (queue: Offload) => Promise<T>): Promise<T> {
    await using queue = offload({ url: this.url, tasks: [] })
    return await look(queue)
  }

  /** Waits until the job is in the state. */
  async until(id: string, state: JobView['state']): Promise<JobView> {
    return this.peek(async (queue) => {
      for (;;) {
        const job = await queue.get(id)
        if (job?.state === state) return job
        await wait(20)
      }
    })
  }

  /** Works until the jobs have ended. */
  async work(...ids: string[]): Promise<Ended> {
    const worker = this.start(['work', tasks])
    await this.peek(async (queue) => {
      for (const id of ids) await queue.result(id).catch(() => undefined)
    })
    worker.child.kill('SIGTERM')
    return worker.ended
  }
}

/** A desk whose queue has the schedules of the fixture. */
export async function scheduled(): Promise<Desk> {
  const desk = new Desk()
  await using queue = offload({ url: desk.url, tasks: [charge, hello], schedules: [hourly, ...others] })
  await queue.ready()
  return desk
}

/** Where a worker that was started with `--health` tells how it is. */
export async function healthOf(worker: Running): Promise<string> {
  await worker.says('health: ')
  return /health: (\S+)\/readyz/.exec(worker.out)?.[1] ?? ''
}
