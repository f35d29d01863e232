/**
 * How the workers are while a transcript is made, by the word after ```console. But for `resumed` they have nothing left to do when
 * it begins.
 */
export type Workers =
  | 'running'
  /** They start nothing, until the next transcript that is not `paused`. */
  | 'paused'
  /** They stay as they were, and run once its first command has printed something. */
  | 'resumed'

/** A fenced block whose first line is `$ curl …`. */
export interface Transcript {
  readonly block: string
  /** The commands as they stand there, each with its `$ ` and the lines that go on after a backslash. */
  readonly commands: readonly string[]
  readonly workers: Workers
  /** More lines of one answer are not shown. */
  readonly lines: number
}

const BLOCK = /^```console([^\n]*)\n(\$ curl [\s\S]*?)^```$/gm

/** The transcripts of a page, in order. Their info string is `console`, then `paused` or `resumed`, then `lines=12`. */
export function transcriptsOf(markdown: string): Transcript[] {
  return [...markdown.matchAll(BLOCK)].map(([block, info = '', inside = '']) => ({
    block,
    commands: inside.match(/^\$ (?:.*\\\n)*.*$/gm) ?? [],
    workers: workersOf(info),
    lines: Number(/\blines=(\d+)/.exec(info)?.[1] ?? Number.POSITIVE_INFINITY),
  }))
}

function workersOf(info: string): Workers {
  const words = info.trim().split(/\s+/)
  return (['paused', 'resumed'] as const).find((word) => words.includes(word)) ?? 'running'
}

/** The page with other transcripts in place of its own. */
export function withTranscripts(markdown: string, told: readonly string[]): string {
  const left = [...told]
  return markdown.replace(BLOCK, (_, info: string) => `\`\`\`console${info}\n${left.shift() ?? ''}\`\`\``)
}

/** A module that the page shows: its first line is its path, as `// server.ts`. */
export interface Module {
  readonly path: string
  readonly code: string
  /** Where it listens; undefined for one that does not. */
  readonly port: number | undefined
}

const LISTENS = /\blisten\((?:\{ port: )?(\d+)( \})?/

export function modulesOf(markdown: string): Module[] {
  const blocks = markdown.matchAll(/^```ts\n(\/\/ (\S+\.ts)\n[\s\S]*?)^```$/gm)
  return [...blocks].map(([, code = '', path = '']) => {
    const port = LISTENS.exec(code)?.[1]
    return { path, code, port: port === undefined ? undefined : Number(port) }
  })
}

/** The same module at another port, for this machine alone. */
export function listeningAt(port: number, code: string): string {
  return code.replace(LISTENS, (_, _port, close?: string) =>
    close === undefined ? `listen(${port}, '127.0.0.1'` : `listen({ port: ${port}, host: '127.0.0.1'${close}`,
  )
}
