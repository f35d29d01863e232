import type { Depth } from '../../broker.ts'
import { checkName } from '../../job/id.ts'
import type { Command } from '../command.ts'
import { withQueue } from '../store.ts'
import { table } from '../table.ts'
import type { Line, Part } from '../terminal.ts'
import { span } from '../times.ts'

export const depth: Command = {
  name: 'depth',
  args: '[queue...]',
  takes: [0, 100],
  summary: 'tells how many jobs wait, run and are dead',
  about: ['Without a name: every queue that ever had a job, or is paused.'],
  run: (call) =>
    withQueue(call, async (queue) => {
      const named = call.args.map((name) => checkName('queue', name))
      const depths: Depth[] = named.length > 0 ? [] : await queue.queues()
      for (const name of named) depths.push(await queue.depth(name))
      call.terminal.data({ queues: depths })
      if (depths.length > 0) call.terminal.print(...listed(depths))
      else call.terminal.note('there was never a job, so there is no queue')
      return 0
    }),
}

function listed(depths: readonly Depth[]): Line[] {
  return table(
    [
      { title: 'QUEUE', most: 60 },
      ...['READY', 'RUNNING', 'SCHEDULED', 'DEAD', 'OLDEST'].map((title) => ({ title, right: true })),
      { title: '' },
    ],
    depths.map(({ queue, ready, running, scheduled, dead, oldestAgeMs, paused, exact }) => [
      queue,
      ...[ready, running, scheduled, dead].map((count): Part => (count === null ? '?' : String(count))),
      oldestAgeMs === null ? '-' : span(oldestAgeMs),
      { text: [paused ? 'paused' : '', exact ? '' : 'about'].filter(Boolean).join(', '), style: 'yellow' },
    ]),
  )
}
