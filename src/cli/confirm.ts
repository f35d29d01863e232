import type { Call } from './call.ts'
import { usageError } from './call.ts'
import type { Option } from './command.ts'

export const yesOption: Option = { name: 'yes', help: 'do not ask; needed where nobody can be asked' }

/** @throws USAGE_INVALID where a question is needed and nobody can answer it */
export function checkAsks(call: Call, command: string): void {
  if (call.flag('yes') || call.terminal.asks) return
  throw usageError(`offload ${command} asks before it begins, and there is nobody to ask: give --yes`)
}

/** Whether to go on: by --yes, or by the answer to the question. */
export async function agreed(call: Call, question: string): Promise<boolean> {
  if (call.flag('yes') || (await call.terminal.ask(question))) return true
  call.terminal.note('nothing was done')
  return false
}
