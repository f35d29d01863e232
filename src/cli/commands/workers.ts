import type { Percentiles } from '../../presence/spread.ts'
import type { WorkerView } from '../../presence/view.ts'
import type { Command } from '../command.ts'
import { withQueue } from '../store.ts'
import { table } from '../table.ts'
import type { Line } from '../terminal.ts'
import { iso, relative, span } from '../times.ts'

export const workers: Command = {
  name: 'workers',
  summary: 'tells which workers are there, on all hosts, and what they do',
  about: [
    'Those that told of themselves in the last three beats (5s each unless offload({ presence }) says otherwise).',
  ],
  run: (call) =>
    withQueue(call, async (queue) => {
      const views = await queue.workers()
      call.terminal.data({ workers: views.map(workerJson) })
      if (views.length > 0) call.terminal.print(...listed(views))
      else call.terminal.note('no worker is there: start one with offload work')
      return 0
    }),
}

function workerJson(view: WorkerView): object {
  return {
    ...view,
    startedAt: iso(view.startedAt),
    seenAt: iso(view.seenAt),
    attempts: view.attempts.map((one) => ({
      ...one,
      startedAt: iso(one.startedAt),
      ...(one.leaseUntil === undefined ? {} : { leaseUntil: iso(one.leaseUntil) }),
    })),
  }
}

function listed(views: readonly WorkerView[]): Line[] {
  return table(
    [
      { title: 'WORKER', most: 40 },
      { title: 'QUEUES', most: 40 },
      { title: 'RUNNING', right: true },
      { title: 'AHEAD', right: true },
      { title: 'WAIT P95', right: true },
      { title: 'RUN P95', right: true },
      { title: 'DEAD', right: true },
      { title: 'SEEN' },
      { title: '', most: 60 },
    ],
    views.map(({ name, queues, running, slots, buffered, wait, run, ended, seenAt, state, reason }) => [
      name,
      queues.join(', '),
      `${running}/${slots}`,
      String(buffered),
      p95(wait),
      p95(run),
      String(ended.dead),
      relative(seenAt, Date.now()),
      { text: state === 'running' ? '' : [state, reason].filter(Boolean).join(': '), style: 'yellow' },
    ]),
  )
}

function p95(times: Percentiles | null): string {
  return times === null ? '-' : span(times.p95)
}
