import type { Call } from './call.ts'

export interface Option {
  readonly name: string
  readonly help: string
  /** How its value is named in help, e.g. `<n>`; a flag has none. */
  readonly value?: string
  /** May be given several times, or with commas. */
  readonly many?: boolean
  /** The values that fit. */
  readonly choices?: readonly string[]
}

/** What the program can be told to do. */
export interface Command {
  /** One or two words: `jobs`, `dead list`. */
  readonly name: string
  /** Of two words: it is meant, too, when the first stands alone. @default false */
  readonly standsAlone?: boolean
  readonly summary: string
  /** The positional arguments as help shows them, e.g. `<id>`. */
  readonly args?: string
  /** How many positional arguments fit, at least and at most. @default none */
  readonly takes?: readonly [least: number, most: number]
  readonly options?: readonly Option[]
  /** More lines for its help. */
  readonly about?: readonly string[]
  /** Does it and answers the exit code. @throws the coded error that says what is wrong */
  run(call: Call): Promise<number>
}

/** What every command takes. */
export const commonOptions: readonly Option[] = [
  { name: 'url', value: '<url>', help: 'the queue, e.g. sqlite:offload.db; else OFFLOAD_URL' },
  { name: 'ledger', value: '<url>', help: "a message broker's ledger; else OFFLOAD_LEDGER" },
  { name: 'json', help: 'JSON on stdout, and errors as JSON on stderr' },
  { name: 'help', help: 'this text' },
]
