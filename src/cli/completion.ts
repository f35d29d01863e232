import type { Command, Option } from './command.ts'
import { commonOptions } from './command.ts'

export const shells = ['bash', 'zsh', 'fish'] as const

type Shell = (typeof shells)[number]

/** The script that completes the commands, their options and the values that are known. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  if (shell === 'fish') return fish(commands)
  const words = `_offload_words() {\n  case "$1" in\n${cases(commands)}  esac\n}\n`
  return words + (shell === 'bash' ? bash : zsh)
}

const flags = (command: Command): string[] =>
  [...(command.options ?? []), ...commonOptions].map(({ name }) => `--${name}`)

/** What may follow: of the words before it, joined by blanks. */
function cases(commands: readonly Command[]): string {
  const groups = new Map<string, string[]>()
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ')
    const own = command.standsAlone === true ? flags(command) : []
    groups.set(first, [...(groups.get(first) ?? []), ...(second === undefined ? [] : [second, ...own])])
  }
  const lines = [`    "") echo "${[...groups.keys(), 'help', '--version'].join(' ')}" ;;`]
  for (const [first, seconds] of groups)
    if (seconds.length > 0) lines.push(`    "${first}") echo "${seconds.join(' ')}" ;;`)
  for (const command of commands) {
    for (const { name, choices } of command.options ?? [])
      if (choices !== undefined)
        lines.push(
          `    "${command.name} --${name}"|"${command.name} "*" --${name}") echo "${choices.join(' ')}" ;;`,
        )
    const first = command.name === 'completion' ? [...shells] : []
    if (command.standsAlone === true)
      lines.push(`    "${command.name.split(' ')[0]} -"*) echo "${flags(command).join(' ')}" ;;`)
    lines.push(
      `    "${command.name}"|"${command.name} "*) echo "${[...first, ...flags(command)].join(' ')}" ;;`,
    )
  }
  return `${lines.join('\n')}\n`
}

const bash = `_offload() {
  local before="\${COMP_WORDS[*]:1:COMP_CWORD-1}"
  COMPREPLY=($(compgen -W "$(_offload_words "$before")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _offload offload
`

const zsh = `_offload() {
  local before="\${(j: :)words[2,CURRENT-1]}"
  compadd -- \${=$(_offload_words "$before")}
  _files
}
compdef _offload offload
`

function fish(commands: readonly Command[]): string {
  const lines = ['complete -c offload -f']
  const firsts = new Set<string>()
  for (const { name, summary, options = [] } of commands) {
    const [first = '', second] = name.split(' ')
    if (second !== undefined)
      lines.push(
        `complete -c offload -n "__fish_seen_subcommand_from ${first}" -a ${second} -d ${quoted(summary)}`,
      )
    if (!firsts.has(first))
      lines.push(
        `complete -c offload -n __fish_use_subcommand -a ${first}${second === undefined ? ` -d ${quoted(summary)}` : ''}`,
      )
    firsts.add(first)
    for (const option of options) lines.push(fishOption(name, option))
  }
  for (const { name, help } of commonOptions) lines.push(`complete -c offload -l ${name} -d ${quoted(help)}`)
  lines.push(`complete -c offload -n "__fish_seen_subcommand_from completion" -a "${shells.join(' ')}"`)
  return `${lines.join('\n')}\n`
}

function fishOption(command: string, { name, help, value, choices }: Option): string {
  const takes = value === undefined ? '' : choices === undefined ? ' -r' : ` -x -a "${choices.join(' ')}"`
  const seen = command.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`)
  return `complete -c offload -n "${seen.join('; and ')}" -l ${name}${takes} -d ${quoted(help)}`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
