import type { CancelVerdict } from '../../handle.ts'
import type { Command } from '../command.ts'
import { withQueue } from '../store.ts'
import { tellVerdicts } from '../verdicts.ts'

const meanings: Readonly<Record<CancelVerdict, string>> = {
  cancelled: 'cancelled',
  cancelling: 'it runs: its handler was asked to stop',
  ended: 'it has ended already',
  unknown: 'no such job is remembered',
}

export const cancel: Command = {
  name: 'cancel',
  args: '<id...>',
  takes: [1, 1000],
  summary: 'cancels jobs; a running one is asked to stop',
  run: (call) =>
    withQueue(call, async (queue) => {
      const verdicts: [string, CancelVerdict][] = []
      for (const id of call.args) verdicts.push([id, await queue.cancel(id)])
      return tellVerdicts(call.terminal, verdicts, meanings, ['cancelled', 'cancelling'])
    }),
}
