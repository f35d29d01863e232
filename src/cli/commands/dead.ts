import { OffloadError } from '../../job/errors.ts'
import type { DeadFilter } from '../../ledger.ts'
import type { Offload } from '../../offload.ts'
import type { JobView } from '../../reading/view.ts'
import type { Call } from '../call.ts'
import type { Command, Option } from '../command.ts'
import { agreed, checkAsks, yesOption } from '../confirm.ts'
import { progress } from '../progress.ts'
import { heldJob, withQueue } from '../store.ts'
import { table } from '../table.ts'
import type { Line } from '../terminal.ts'
import { relative } from '../times.ts'
import { tellJob } from './job.ts'
import { pageOptions, queryOf, tellPage } from './jobs.ts'

const filterOptions: readonly Option[] = [
  { name: 'queue', value: '<name>', help: 'of this queue' },
  { name: 'task', value: '<name>', help: 'of this task' },
  { name: 'id', value: '<id>', help: 'with this id; may be given several times', many: true },
]

const list: Command = {
  name: 'dead list',
  summary: 'lists dead letters, newest first',
  options: [...filterOptions, ...pageOptions],
  run: (call) =>
    withQueue(call, async (queue) => {
      const page = await queue.find(queryOf(call, 'dead'))
      tellPage(call, page, (now) => listed(page.jobs, now))
      return 0
    }),
}

const show: Command = {
  name: 'dead show',
  args: '<id>',
  takes: [1, 1],
  summary: 'tells all that is known of a dead letter',
  async run(call) {
    const [id = ''] = call.args
    const job = await heldJob(call, id)
    if (job.state !== 'dead')
      throw new OffloadError('JOB_NOT_FOUND', `job ${id} is no dead letter: it is ${job.state}`, {
        jobId: id,
      })
    tellJob(job, call.terminal)
    return 0
  },
}

export const dead: readonly Command[] = [
  list,
  show,
  bulk('redrive', 'queues dead letters again, with all their attempts', ['redriving', 'redriven']),
  bulk('purge', 'forgets dead letters for ever', ['purging', 'purged']),
]

function bulk(
  act: 'redrive' | 'purge',
  summary: string,
  [doing, did]: readonly [doing: string, did: string],
): Command {
  return {
    name: `dead ${act}`,
    summary,
    options: [...filterOptions, yesOption],
    run: (call) =>
      withQueue(call, async (queue) => {
        const filter = filterOf(call)
        checkAsks(call, `dead ${act}`)
        const total = await countDead(queue, filter)
        const what = `${total} dead ${total === 1 ? 'letter' : 'letters'}${scopeOf(filter)}`
        if (total > 0 && !(await agreed(call, `${act} ${what}?`))) return 1
        const count = await queue[act](filter, { onProgress: progress(call.terminal, doing, total) })
        await call.terminal.flush()
        call.terminal.data({ [did]: count })
        call.terminal.print(`${did} ${count}`)
        return 0
      }),
  }
}

function filterOf(call: Call): DeadFilter {
  const [queue, task, ids] = [call.text('queue'), call.text('task'), call.list('id')]
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(ids === undefined ? {} : { ids }),
  }
}

function scopeOf({ queue, task, ids }: DeadFilter): string {
  const parts = [
    ids === undefined ? '' : ` named by ${ids.length} ${ids.length === 1 ? 'id' : 'ids'}`,
    task === undefined ? '' : ` of task ${task}`,
    queue === undefined ? '' : ` of queue ${queue}`,
  ].join('')
  return parts === '' ? ' of all queues' : parts
}

async function countDead(queue: Offload, filter: DeadFilter): Promise<number> {
  const { queue: name, task, ids } = filter
  if (name !== undefined && task === undefined && ids === undefined) {
    const { dead: count } = await queue.depth(name)
    if (count !== null) return count
  }
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const page = await queue.find({
      state: 'dead',
      limit: 500,
      ...filter,
      ...(cursor === undefined ? {} : { cursor }),
    })
    count += page.jobs.length
    cursor = page.next
    if (cursor === undefined) return count
  }
}

function listed(jobs: readonly JobView[], now: number): Line[] {
  return table(
    [
      { title: 'ID' },
      { title: 'TASK', most: 40 },
      { title: 'QUEUE', most: 30 },
      { title: 'ATTEMPTS', right: true },
      { title: 'DIED' },
      { title: 'WHY', most: 80 },
    ],
    jobs.map(({ id, task, queue, attempt, maxAttempts, endedAt, error }) => [
      id,
      task,
      queue,
      `${attempt}/${maxAttempts}`,
      endedAt === undefined ? '-' : relative(endedAt, now),
      error === undefined ? '' : `${error.code} ${error.message}`,
    ]),
  )
}
