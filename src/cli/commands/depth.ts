import type { Depth } from '../../broker.ts'
import { checkName } from '../../job/id.ts'
import type { Command } from '../command.ts'
import { queuesSeen } from '../queues.ts'
import { withQueue } from '../store.ts'
import { table } from '../table.ts'
import type { Line, Part } from '../terminal.ts'
import { span } from '../times.ts'

export const depth: Command = {
  name: 'depth',
  args: '[queue...]',
  takes: [0, 100],
  summary: 'tells how many jobs wait, run and are dead',
  about: ['Without a name: the queues that the newest jobs of each state are in.'],
  run: (call) =>
    withQueue(call, async (queue) => {
      const named = call.args.map((name) => checkName('queue', name))
      const { names, complete } =
        named.length > 0 ? { names: named, complete: true } : await queuesSeen(queue)
      const depths: Depth[] = []
      for (const name of names) depths.push(await queue.depth(name))
      call.terminal.data({ queues: depths, complete })
      if (depths.length > 0) call.terminal.print(...listed(depths))
      else call.terminal.note('no jobs are remembered, so no queue is seen')
      if (!complete) call.terminal.note({ text: 'there may be more: name them', style: 'dim' })
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
