import { checkName } from '../../job/id.ts'
import type { Command } from '../command.ts'
import { withQueue } from '../store.ts'

export const pause: Command = steering(
  'pause',
  'starts nothing more of a queue, anywhere, until it is resumed',
  'paused',
)

export const resume: Command = steering('resume', 'lets a paused queue go on', 'resumed')

function steering(act: 'pause' | 'resume', summary: string, did: string): Command {
  return {
    name: act,
    args: '<queue...>',
    takes: [1, 100],
    summary,
    run: (call) =>
      withQueue(call, async (queue) => {
        const names = call.args.map((name) => checkName('queue', name))
        for (const name of names) {
          const { ready, running, scheduled, dead } = await queue.depth(name)
          await queue[act](name)
          const unseen = [ready, running, scheduled, dead].every((count) => count === 0)
          call.terminal.print(`${did} ${name}${unseen ? ' (it is empty: is that its name?)' : ''}`)
        }
        call.terminal.data({ [did]: names })
        return 0
      }),
  }
}
