import { createInterface } from 'node:readline/promises'
import { styleText } from 'node:util'
import { jsonText, safe } from './safe.ts'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** A piece of a line. Whatever it holds, it is made safe before it is written. */
export type Part = string | { readonly text: string; readonly style: Style }
export type Line = Part | readonly Part[]

type Output = NodeJS.WriteStream

/** The streams of a process. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: Output
  readonly stderr: Output
}

/** Where a command writes and asks: the only place that knows of colours and escape sequences. */
export class Terminal {
  readonly stdin: NodeJS.ReadStream
  /** Machines read: JSON on stdout, nothing for people. */
  json = false
  /** What becomes of a command whose reader has gone (`| head`): it ends, or it goes on without one. */
  whenClosed: 'end' | 'goOn' = 'end'
  readonly #out: Output
  readonly #err: Output
  #statusShown = false

  constructor({ stdin, stdout, stderr }: Streams) {
    this.stdin = stdin
    this.#out = stdout
    this.#err = stderr
    stdout.on('error', (error) => this.#onClosed(error))
    stderr.on('error', () => {})
  }

  /** Lines of an answer, for people. */
  print(...lines: readonly Line[]): void {
    if (this.json) return
    this.#out.write(lines.map((line) => `${render(line, this.#out)}\n`).join(''))
  }

  /** Text that is right as it stands, such as a completion script. */
  write(text: string): void {
    this.#out.write(text)
  }

  /** An answer for machines: one line of JSON. */
  data(value: unknown): void {
    if (this.json) this.#out.write(`${jsonText(value)}\n`)
  }

  /** Lines beside the answer, on stderr. */
  note(...lines: readonly Line[]): void {
    if (!this.json) this.#error(lines.map((line) => `${render(line, this.#err)}\n`).join(''))
  }

  /** An error for machines, or for people. */
  fail(problem: object, ...lines: readonly Line[]): void {
    if (this.json) this.#error(`${jsonText(problem)}\n`)
    else this.note(...lines)
  }

  /** A line on stderr that the next one replaces; only where {@link movable}. */
  status(text: string): void {
    this.#err.write(`\r\x1b[K${safe(text)}`)
    this.#statusShown = true
  }

  /** Whether stderr is a terminal on which lines can be replaced. */
  get movable(): boolean {
    return this.#err.isTTY === true && !this.json && process.env.TERM !== 'dumb'
  }

  /** Whether there is somebody to ask. */
  get asks(): boolean {
    return this.stdin.isTTY === true && this.#err.isTTY === true && !this.json
  }

  /** Anything but y or yes is no. */
  async ask(question: string): Promise<boolean> {
    const lines = createInterface({ input: this.stdin, output: this.#err })
    const gone = new AbortController()
    lines.once('close', () => gone.abort())
    try {
      return /^\s*y(es)?\s*$/i.test(await lines.question(`${safe(question)} [y/N] `, { signal: gone.signal }))
    } catch {
      this.#err.write('\n')
      return false
    } finally {
      lines.close()
    }
  }

  /** Resolves when everything was handed to the system. */
  async flush(): Promise<void> {
    this.#endStatus()
    for (const stream of [this.#out, this.#err])
      if (!stream.destroyed) await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }

  #error(text: string): void {
    this.#endStatus()
    this.#err.write(text)
  }

  #endStatus(): void {
    if (this.#statusShown) this.#err.write('\n')
    this.#statusShown = false
  }

  #onClosed(error: NodeJS.ErrnoException): void {
    if (error.code !== 'EPIPE') this.#err.write(`error: stdout: ${safe(error.message)}\n`)
    if (this.whenClosed === 'end') process.exit(error.code === 'EPIPE' ? 0 : 1)
  }
}

function render(line: Line, stream: Output): string {
  const parts = Array.isArray(line) ? (line as readonly Part[]) : [line as Part]
  return parts.map((part) => renderPart(part, stream)).join('')
}

function renderPart(part: Part, stream: Output): string {
  if (typeof part === 'string') return safe(part)
  const text = safe(part.text)
  return coloured(stream) ? styleText(part.style, text, { validateStream: false }) : text
}

/** https://no-color.org */
function coloured(stream: Output): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}
