import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const root = join(import.meta.dirname, '..')
export const page: string = join(root, 'docs/reference/cli.md')

const CONSOLE = /^```console\n([\s\S]*?)^```$/gm

/** The page with what its commands print today: they run one after the other, in one folder with one queue. */
export async function withOutput(markdown: string): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'offload-cli-docs-')))
  try {
    furnish(folder, markdown)
    const written: string[] = []
    for (const [block, inside = ''] of markdown.matchAll(CONSOLE)) {
      const commands = inside.split('\n').filter((line) => line.startsWith('$ '))
      const told: string[] = []
      for (const line of commands) told.push(`${line}\n${steady(await run(line.slice(2), folder), folder)}`)
      written.push(block.replace(inside, () => told.join('')))
    }
    return markdown.replace(CONSOLE, () => written.shift() ?? '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The module that the page shows, the package and the program under its name. */
function furnish(folder: string, markdown: string): void {
  const [, module = ''] = /^```ts\n([\s\S]*?)^```$/m.exec(markdown) ?? []
  writeFileSync(join(folder, 'tasks.ts'), module)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/offload'), 'junction')
  symlinkSync(join(root, 'node_modules/zod'), join(folder, 'node_modules/zod'), 'junction')
  const program = join(folder, 'offload')
  const main = join(root, 'src/cli/main.ts')
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" --conditions=offload-source "${main}" "$@"\n`)
  chmodSync(program, 0o755)
}

async function run(command: string, folder: string): Promise<string> {
  const child = spawn(
    'sh',
    ['-c', `exec 2>&1\n${command.startsWith('offload work ./') ? 'exec ' : ''}${command}`],
    {
      cwd: folder,
      env: {
        ...process.env,
        PATH: [folder, process.env.PATH].join(delimiter),
        OFFLOAD_URL: 'sqlite:jobs.db',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const ended = once(child, 'close')
  if (command.startsWith('offload work ./')) {
    while (!(await isIdle(folder))) await wait(50)
    child.kill('SIGTERM')
  }
  await ended
  return out
}

async function isIdle(folder: string): Promise<boolean> {
  const { queues } = JSON.parse(await run('offload depth --json', folder)) as {
    queues: { ready: number; running: number }[]
  }
  return queues.every(({ ready, running }) => ready + running === 0)
}

/** What differs from one run to the next, made the same: instants, places, processes and figures of this host. */
function steady(output: string, folder: string): string {
  return output
    .replaceAll(folder, '/app')
    .replaceAll(root, '/app/node_modules/offload')
    .replace(
      /\b(now|\d+ (?:s|min) ago)( {2,}|$)/gm,
      (_, time: string, gap: string) => `2 s ago${gap.slice(7 - time.length)}`,
    )
    .replace(/\b(now|\d+ (?:s|min) ago)\b/g, '2 s ago')
    .replace(/\bin \d+ (?:d|h|min|s|ms)\b( {2,})?/g, (all, gap: string | undefined) =>
      gap === undefined ? 'in 5 d' : 'in 5 d'.padEnd(all.length),
    )
    .replace(/\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d)/g, '2026-12-01 $1')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2026-11-25T12:00:00.000Z')
    .replace(/^\d\d:\d\d:\d\d\.\d{3}/gm, '12:00:00.000')
    .replace(/\b[0-9a-hjkmnp-tv-z]{30}\b/g, '01m89vt6j84tg30yqq2mybcqp2')
    .replace(/"oldestAgeMs":\d+/g, '"oldestAgeMs":2000')
    .replace(/^(?:ok|warn) {2,}(disk|file system|fsync) +.*\n(?: +->.*\n)?/gm, (_, check: string) =>
      hostLine(check),
    )
    .replace(/^(ok {2,}node {2,}).*$/gm, '$1v24.0.0')
    .replace(/^(ok {2,}permissions {2,}).*$/gm, '$1600')
    .replace(/^ +at .*\n/gm, (frame) => (frame.includes('/app/tasks.ts') ? frame : ''))
    .replace(/(file:\/\/\/app\/tasks\.ts):\d+:\d+/g, '$1:17:11')
    .replace(/ +$/gm, '')
}

const hostLine = (check: string): string =>
  `ok  ${check.padEnd(11)}  ${{ disk: '81920 MB free', 'file system': 'local' }[check] ?? '0.7 ms'}\n`

if (import.meta.main) writeFileSync(page, await withOutput(readFileSync(page, 'utf8')))
