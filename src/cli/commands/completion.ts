import { usageError } from '../call.ts'
import type { Command } from '../command.ts'
import { completionScript, shells } from '../completion.ts'

export const completion: Command = {
  name: 'completion',
  args: `<${shells.join('|')}>`,
  takes: [1, 1],
  summary: 'prints what makes a shell complete commands and options',
  about: ['bash: source <(offload completion bash). zsh the same. fish: offload completion fish | source.'],
  async run({ args: [asked = ''], terminal }) {
    const shell = shells.find((name) => name === asked)
    if (shell === undefined) throw usageError(`offload completion knows ${shells.join(', ')}, not ${asked}`)
    // Late, because the list of all commands has this one in it.
    const { commands } = await import('./index.ts')
    const script = completionScript(shell, commands)
    if (terminal.json) terminal.data({ shell, script })
    else terminal.write(script)
    return 0
  },
}
