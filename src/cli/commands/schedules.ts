import { OffloadError, shown } from '../../job/errors.ts'
import type { Offload } from '../../offload.ts'
import type { ScheduleView } from '../../schedule/schedules.ts'
import type { AnyTask } from '../../task.ts'
import { usageError } from '../call.ts'
import type { Command } from '../command.ts'
import { agreed, checkAsks, yesOption } from '../confirm.ts'
import { loadModule, taskNamed } from '../module.ts'
import { didYouMean } from '../nearest.ts'
import { aboutSchedule, listed, scheduleJson, ticksListed } from '../schedules.ts'
import { withQueue } from '../store.ts'
import type { Line } from '../terminal.ts'
import { relative } from '../times.ts'
import { LIMIT, pageOptions } from './jobs.ts'

/** So many names are compared with one that is not there. */
const COMPARED = 1000
const DEFAULT_COUNT = 5

const list: Command = {
  name: 'schedules list',
  standsAlone: true,
  summary: 'lists schedules by name; so does `offload schedules` alone',
  options: pageOptions,
  about: [
    'A next tick that is due for more than a minute is one that no worker makes: none with its task runs.',
  ],
  run: (call) =>
    withQueue(call, async (queue) => {
      const after = call.text('cursor')
      const { schedules: page, next } = await queue.schedules.list({
        limit: call.number('limit') ?? LIMIT,
        ...(after === undefined ? {} : { after }),
      })
      call.terminal.data({ schedules: page.map(scheduleJson), next })
      if (page.length > 0) call.terminal.print(...listed(page, Date.now()))
      else if (next === undefined)
        call.terminal.note(after === undefined ? 'no schedules are stored' : 'no schedules come after that')
      if (next !== undefined) call.terminal.note({ text: `more: --cursor ${next}`, style: 'dim' })
      return 0
    }),
}

const show: Command = {
  name: 'schedules show',
  args: '<name>',
  takes: [1, 1],
  summary: 'tells all that is known of a schedule',
  about: ['The input of its jobs is shown as it is: it may hold what is private.'],
  run: (call) =>
    withQueue(call, async (queue) => {
      const view = await known(queue, call.args[0] ?? '')
      const last = view.lastJobId === undefined ? undefined : await queue.get(view.lastJobId)
      call.terminal.data({
        ...scheduleJson(view),
        ...(last === undefined ? {} : { lastJobState: last.state }),
      })
      call.terminal.print(...aboutSchedule(view, last?.state, Date.now()))
      return 0
    }),
}

const next: Command = {
  name: 'schedules next',
  args: '<name>',
  takes: [1, 1],
  summary: 'tells the next ticks of a schedule, as if it were not paused',
  options: [
    { name: 'count', value: '<n>', help: `so many, 1 to 1000; ${DEFAULT_COUNT} unless told otherwise` },
  ],
  async run(call) {
    const count = call.number('count') ?? DEFAULT_COUNT
    return withQueue(call, async (queue) => {
      const view = await known(queue, call.args[0] ?? '')
      const ticks = await queue.schedules.next(view.name, count)
      const { name, paused } = view
      call.terminal.data({ name, paused, ticks: ticks.map((tick) => new Date(tick).toISOString()) })
      if (ticks.length > 0) call.terminal.print(...ticksListed(ticks, view, Date.now()))
      else call.terminal.note('it will not tick again')
      if (paused) call.terminal.note(`${name} is paused: none of these comes before it is resumed`)
      return 0
    })
  },
}

const pause: Command = steering(
  'pause',
  'paused',
  'stops the ticks of schedules until they are resumed; what was queued runs',
  ({ name }) => `paused ${name}`,
)

const resume: Command = steering(
  'resume',
  'resumed',
  'lets paused schedules go on with their next tick; those of the pause are gone',
  ({ name, nextAt }, now) =>
    `resumed ${name}${nextAt === undefined ? '' : `, next tick ${relative(nextAt, now)}`}`,
)

function steering(
  act: 'pause' | 'resume',
  did: string,
  summary: string,
  line: (schedule: ScheduleView, now: number) => Line,
): Command {
  return {
    name: `schedules ${act}`,
    args: '<name...>',
    takes: [1, 100],
    summary,
    run: (call) =>
      withQueue(call, async (queue) => {
        // All or, where a name is wrong, none.
        for (const name of call.args) await known(queue, name)
        for (const name of call.args) {
          await queue.schedules[act](name)
          call.terminal.print(line(await known(queue, name), Date.now()))
        }
        call.terminal.data({ [did]: call.args })
        return 0
      }),
  }
}

const runNow: Command = {
  name: 'schedules run',
  args: '<name>',
  takes: [1, 1],
  summary: 'queues a job of a schedule at once, paused or not; its ticks stay as they are',
  options: [{ name: 'module', value: '<module>', help: 'the module that exports its task; needed' }],
  about: [
    'What is stored of a schedule is its input, priority and key; queue, retries and onDone are those of its task, so the',
    'module must be named. A queue that it exports is used with its own URL, unless --url is given.',
  ],
  async run(call) {
    const [name = ''] = call.args
    const specifier = call.text('module')
    if (specifier === undefined)
      throw usageError(
        'queue and retries of the job are those of its task: name the module that exports it, --module ./tasks.ts',
      )
    const { tasks, queue: exported } = await loadModule(specifier, process.cwd())
    const runIn = async (queue: Offload, among?: readonly AnyTask[]): Promise<number> => {
      const { task } = await known(queue, name)
      if (among !== undefined) taskNamed(task, among)
      const id = await queue.schedules.runNow(name)
      call.terminal.data({ id, schedule: name, task })
      call.terminal.print(id)
      return 0
    }
    if (exported === undefined || call.flag('url'))
      return withQueue(call, (queue) => runIn(queue, tasks), tasks)
    try {
      return await runIn(exported)
    } finally {
      await exported.close()
    }
  },
}

const remove: Command = {
  name: 'schedules remove',
  args: '<name>',
  takes: [1, 1],
  summary: 'forgets a schedule; its jobs stay',
  options: [yesOption],
  about: [
    'One that is still in the code of an application is stored again when that starts: pause it instead.',
  ],
  run: (call) =>
    withQueue(call, async (queue) => {
      const [name = ''] = call.args
      checkAsks(call, 'schedules remove')
      // One that this version cannot read can be removed all the same.
      if (!(await agreed(call, `remove schedule ${name}?`))) return 1
      if (!(await queue.schedules.remove(name))) throw await notFound(queue, name)
      call.terminal.data({ removed: name })
      call.terminal.print(`removed ${name}`)
      return 0
    }),
}

export const schedules: readonly Command[] = [list, show, next, pause, resume, runNow, remove]

/** @throws SCHEDULE_NOT_FOUND */
async function known(queue: Offload, name: string): Promise<ScheduleView> {
  const view = await queue.schedules.get(name)
  if (view !== undefined) return view
  throw await notFound(queue, name)
}

async function notFound(queue: Offload, name: string): Promise<OffloadError> {
  const { schedules: some } = await queue.schedules.list({ limit: COMPARED })
  const near = didYouMean(
    name,
    some.map((schedule) => schedule.name),
  )
  return new OffloadError(
    'SCHEDULE_NOT_FOUND',
    `no schedule ${shown(name)} is stored${near || ', or none that can be read: `offload schedules` lists them'}`,
  )
}
