import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a folder's example.json says: the command, from the repository's root, and what it must print. */
interface Example {
  run: string
  expect: string[]
  timeoutMs: number
}

interface Outcome {
  exit: string
  output: string
}

const root = join(import.meta.dirname, '..')

function readExample(path: string): Example {
  const { run, expect = [], timeoutMs = 60_000 } = JSON.parse(readFileSync(join(root, path), 'utf8'))
  if (typeof run !== 'string') throw new TypeError(`${path} has no "run" command.`)
  return { run, expect, timeoutMs }
}

/** The command as it runs in any folder: `node` is this one, and a path of the repository is absolute. */
function commandOf(example: Example): { program: string; args: string[] } {
  const words = example.run.split(/\s+/).map((word) => {
    if (word === 'node') return process.execPath
    return existsSync(join(root, word)) ? join(root, word) : word
  })
  const [program = process.execPath, ...args] = words
  return { program, args }
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // The whole group has ended by itself.
  }
}

/** Runs the example in an empty folder; at the time limit it ends the whole process group. */
function runExample(example: Example, folder: string): Promise<Outcome> {
  const { program, args } = commandOf(example)
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const parts: Buffer[] = []
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child.pid)
    }, example.timeoutMs)
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stderr.on('data', (part: Buffer) => parts.push(part))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const exit = timedOut ? `no end within ${example.timeoutMs} ms` : `exit ${code ?? signal}`
      resolve({ exit, output: Buffer.concat(parts).toString('utf8') })
    })
  })
}

function problemsOf(example: Example, { exit, output }: Outcome): string[] {
  const missing = example.expect.filter((text) => !output.includes(text))
  return [
    ...(exit === 'exit 0' ? [] : [exit]),
    ...missing.map((text) => `it did not print ${JSON.stringify(text)}`),
  ]
}

let failed = 0
const found = globSync('examples/*/example.json', { cwd: root }).sort()
for (const path of found) {
  const folder = mkdtempSync(join(tmpdir(), 'offload-example-'))
  try {
    const example = readExample(path)
    const outcome = await runExample(example, folder)
    const problems = problemsOf(example, outcome)
    console.log(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${example.run}`)
    if (problems.length === 0) continue
    failed += 1
    console.error(`${problems.join('\n')}\n${outcome.output}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
console.log(`${found.length} examples, ${failed} failed`)
if (failed > 0) process.exitCode = 1
