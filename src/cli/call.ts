import { parseArgs } from 'node:util'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError, shown } from '../job/errors.ts'
import type { Command, Option } from './command.ts'
import { commonOptions } from './command.ts'
import { didYouMean } from './nearest.ts'
import type { Terminal } from './terminal.ts'

export function usageError(message: string): OffloadError {
  return new OffloadError('USAGE_INVALID', message)
}

/** One command line, read. */
export class Call {
  readonly args: readonly string[]
  readonly terminal: Terminal
  readonly #given: ReadonlyMap<string, readonly string[]>

  constructor(terminal: Terminal, args: readonly string[], given: ReadonlyMap<string, readonly string[]>) {
    this.terminal = terminal
    this.args = args
    this.#given = given
  }

  flag(option: string): boolean {
    return this.#given.has(option)
  }

  text(option: string): string | undefined {
    return this.#given.get(option)?.at(-1)
  }

  /** Every value, commas parted; undefined when there is none. */
  list(option: string): readonly string[] | undefined {
    const values = this.#given
      .get(option)
      ?.flatMap((value) => value.split(','))
      .map((value) => value.trim())
      .filter((value) => value !== '')
    if (values?.length === 0) throw usageError(`--${option} needs a value`)
    return values
  }

  number(option: string): number | undefined {
    const text = this.text(option)
    if (text === undefined) return undefined
    if (/^\d{1,15}$/.test(text)) return Number(text)
    throw usageError(`--${option} must be a whole number, not ${shown(text)}`)
  }

  duration(option: string): Duration | undefined {
    const text = this.text(option)
    return text === undefined ? undefined : toMs(text as Duration, `--${option}`)
  }

  /** Milliseconds since the epoch of an ISO time, or of so long ago: `2h`. */
  instant(option: string, now: number): number | undefined {
    const text = this.text(option)
    if (text === undefined) return undefined
    if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) return now - toMs(text as Duration, `--${option}`)
    const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(at)) return at
    throw usageError(
      `--${option} must be a time such as 2030-01-31T12:00:00Z, or how long ago, such as 2h, not ${shown(text)}`,
    )
  }
}

/** Reads what follows the name of a command. @throws USAGE_INVALID */
export function readCall(command: Command, argv: readonly string[], terminal: Terminal): Call {
  const options = [...(command.options ?? []), ...commonOptions]
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      options.map(({ name, value }) => [name, { type: value === undefined ? 'boolean' : 'string' }]),
    ),
  })
  const args: string[] = []
  const given = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = options.find(
      ({ name }) => token.rawName === `--${name}` || (name === 'help' && token.rawName === '-h'),
    )
    if (option === undefined) {
      const known = options.map(({ name }) => `--${name}`)
      throw usageError(
        `offload ${command.name} has no option ${shown(token.rawName)}${didYouMean(token.rawName, known)}`,
      )
    }
    const value = readValue(option, token.value, token.inlineValue === true)
    given.set(option.name, [...(given.get(option.name) ?? []), value])
  }
  if (!given.has('help')) checkCount(command, args)
  return new Call(terminal, args, given)
}

function readValue(option: Option, value: string | undefined, inline: boolean): string {
  const { name, choices } = option
  if (option.value === undefined) {
    if (value === undefined) return ''
    throw usageError(`--${name} takes no value`)
  }
  if (value === undefined || value === '')
    throw usageError(`--${name} needs a value: --${name} ${option.value}`)
  if (!inline && /^-./.test(value))
    throw usageError(`--${name} needs a value; if it is ${shown(value)}, write --${name}=${value}`)
  if (choices !== undefined && !choices.includes(value))
    throw usageError(
      `--${name} must be one of ${choices.join(', ')}, not ${shown(value)}${didYouMean(value, choices)}`,
    )
  return value
}

function checkCount(
  { name, args: names = '', takes: [least, most] = [0, 0] }: Command,
  args: readonly string[],
): void {
  if (args.length < least) throw usageError(`offload ${name} needs ${names}`)
  if (args.length <= most) return
  const extra = shown(args[most])
  throw usageError(
    most === 0 ? `offload ${name} takes no ${extra}` : `offload ${name} takes ${names} and no ${extra}`,
  )
}
