import { readFileSync } from 'node:fs'
import { readCall, usageError } from './call.ts'
import type { Command } from './command.ts'
import { commands } from './commands/index.ts'
import { failed } from './failed.ts'
import { commandHelp, shortHelp } from './help.ts'
import { didYouMean } from './nearest.ts'
import type { Terminal } from './terminal.ts'

/** Does what a command line says; the answer is the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  terminal.json = argv.includes('--json')
  try {
    return await runCommand(argv, terminal)
  } catch (error) {
    return failed(error, terminal)
  }
}

async function runCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, second, third] = argv.filter((word) => word !== '--json')
  if (first === undefined || first === '--help' || first === '-h') return help(commands, terminal)
  if (first === '--version' || first === '-v') return version(terminal)
  if (first === 'help') return helpOn(argv.slice(argv.indexOf('help') + 1), terminal)
  if (third === undefined && (second === '--help' || second === '-h')) return helpOn([first], terminal)
  const { command, rest } = find(argv)
  const call = readCall(command, rest, terminal)
  return call.flag('help') ? helpOn(command.name.split(' '), terminal) : command.run(call)
}

/** The command that the first words name; two words go before one. @throws USAGE_INVALID */
function find(argv: readonly string[]): { command: Command; rest: readonly string[] } {
  const words = argv.filter((word) => word !== '--json')
  const [one = '', two = ''] = words
  const isAlone = two === '' || two.startsWith('-')
  const named = (name: string): Command | undefined => commands.find((command) => command.name === name)
  const pair = named(`${one} ${two}`)
  const command = pair ?? named(one) ?? (isAlone ? standingAlone(one) : undefined)
  if (command !== undefined) {
    const rest = words.slice(pair === undefined ? 1 : 2)
    return { command, rest: argv.length === words.length ? rest : ['--json', ...rest] }
  }
  if (one.startsWith('-')) throw usageError(`the command comes first: offload <command> ${one}`)
  const group = commands.filter(({ name }) => name.startsWith(`${one} `)).map(({ name }) => name)
  if (group.length > 0) {
    const parts = group.map((name) => name.slice(one.length + 1))
    if (isAlone) throw usageError(`offload ${one} needs one of ${parts.join(', ')}`)
    throw usageError(`there is no command "offload ${one} ${two}"${didYouMean(two, parts)}`)
  }
  const names = new Set(commands.map(({ name }) => name.split(' ')[0] ?? name))
  throw usageError(
    `there is no command "offload ${one}"${didYouMean(one, names) || '; `offload` alone lists them'}`,
  )
}

function standingAlone(first: string): Command | undefined {
  return commands.find(({ name, standsAlone }) => standsAlone === true && name.startsWith(`${first} `))
}

function helpOn(words: readonly string[], terminal: Terminal): number {
  const [one, two] = words.filter((word) => !word.startsWith('-'))
  if (one === undefined) return help(commands, terminal)
  const group = commands.filter(({ name }) => name.startsWith(`${one} `))
  if (two === undefined && group.length > 0) return help(group, terminal)
  const { command } = find(two === undefined ? [one] : [one, two])
  terminal.print(...commandHelp(command))
  terminal.data({ ...command, run: undefined })
  return 0
}

function help(listed: readonly Command[], terminal: Terminal): number {
  terminal.print(...shortHelp(listed))
  terminal.data({ commands: listed.map(({ name, args, summary }) => ({ name, args, summary })) })
  return 0
}

function version(terminal: Terminal): number {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const { version: text = 'unknown' } = manifest as { version?: string }
  terminal.print(text)
  terminal.data({ version: text, node: process.version })
  return 0
}
