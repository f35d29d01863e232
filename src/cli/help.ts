import type { Command, Option } from './command.ts'
import { commonOptions } from './command.ts'
import { table } from './table.ts'
import type { Line, Part } from './terminal.ts'

const title = (text: string): Part => ({ text, style: 'bold' })

/** What `offload` alone says. */
export function shortHelp(commands: readonly Command[]): Line[] {
  return [
    [title('offload'), ' <command> [options]: work, look and steer the jobs of a queue'],
    '',
    ...listed(
      commands.map(({ name, args, summary }) => [args === undefined ? name : `${name} ${args}`, summary]),
    ),
    '',
    'The queue is --url, or OFFLOAD_URL: sqlite:offload.db, say. `offload <command> --help` tells more.',
    'Exit code: 0 done, 1 failed, 2 wrong usage.',
  ]
}

export function commandHelp({ name, args, summary, options = [], about = [] }: Command): Line[] {
  return [
    [title(`offload ${name}`), `${args === undefined ? '' : ` ${args}`} [options]`],
    summary,
    ...(about.length === 0 ? [] : ['', ...about]),
    '',
    ...listed([...options, ...commonOptions].map((option) => [flagOf(option), option.help])),
  ]
}

function listed(rows: readonly (readonly [string, string])[]): Line[] {
  const lines = table(
    [{ title: '' }, { title: '' }],
    rows.map(([left, right]) => [`  ${left}`, right]),
  )
  return lines.slice(1)
}

function flagOf({ name, value }: Option): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`
}
