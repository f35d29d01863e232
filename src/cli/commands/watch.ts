import { OffloadError, shown } from '../../job/errors.ts'
import { isEnded } from '../../job/job.ts'
import type { JobEvent } from '../../ledger.ts'
import type { Offload } from '../../offload.ts'
import type { JobView } from '../../reading/view.ts'
import type { Call } from '../call.ts'
import { usageError } from '../call.ts'
import type { Command } from '../command.ts'
import { eventJson } from '../json.ts'
import { withQueue } from '../store.ts'
import type { Line, Style, Terminal } from '../terminal.ts'
import { iso } from '../times.ts'

export const watch: Command = {
  name: 'watch',
  args: '[id]',
  takes: [0, 1],
  summary: 'follows what happens, to one job until its end or to all that fit',
  options: [
    { name: 'queue', value: '<name>', help: 'jobs of this queue' },
    { name: 'task', value: '<name>', help: 'jobs of this task' },
    { name: 'after', value: '<n>', help: 'go on after this event instead of from now on' },
  ],
  about: [
    'With an id the exit code tells the end: 0 done, 1 dead or cancelled. With --json each event is one line.',
  ],
  run: (call) => withQueue(call, (queue) => follow(call, queue)),
}

async function follow(call: Call, queue: Offload): Promise<number> {
  const [id] = call.args
  const [inQueue, task] = [call.text('queue'), call.text('task')]
  if (id !== undefined && (inQueue ?? task) !== undefined)
    throw usageError('give an id, or --queue and --task, not both')
  const after = call.number('after')
  if (id !== undefined) return followOne(call, queue, id, after)
  const filter = {
    ...(inQueue === undefined ? {} : { queue: inQueue }),
    ...(task === undefined ? {} : { task }),
  }
  for await (const event of queue.watch(filter, after === undefined ? {} : { after }))
    tell(event, call.terminal)
  return 0
}

/** Follows from where the job was looked at; an end that no event told, for it was before, is told at last. */
async function followOne(call: Call, queue: Offload, id: string, after: number | undefined): Promise<number> {
  const { terminal } = call
  const before = await queue.get(id)
  if (before === undefined)
    throw new OffloadError('JOB_NOT_FOUND', `no job ${shown(id)} is remembered`, { jobId: id })
  let toldEnd = false
  for await (const event of eventsOf(queue, before, after)) {
    tell(event, terminal)
    toldEnd = isEnd(event.type)
    if (event.type === 'gap' && (await isOver(queue, id))) break
  }
  const { state } = (await queue.get(id)) ?? before
  if (!toldEnd) {
    terminal.print(`${id} is ${state} already`)
    terminal.data({ type: state, jobId: id, already: true })
  }
  return state === 'done' ? 0 : 1
}

/** Of an ended job only what is past: nothing more would come. */
async function* eventsOf(
  queue: Offload,
  { id, state, eventId }: JobView,
  after = eventId,
): AsyncGenerator<JobEvent> {
  if (!isEnded(state)) yield* queue.watch(id, { after })
  else if (after < eventId)
    for await (const event of queue.watch({}, { after })) {
      if (event.jobId === id || event.type === 'gap') yield event
      if (event.eventId >= eventId) return
    }
}

const isEnd = (type: JobEvent['type']): boolean => type === 'done' || type === 'dead' || type === 'cancelled'

async function isOver(queue: Offload, id: string): Promise<boolean> {
  const now = await queue.get(id)
  return now === undefined || isEnded(now.state)
}

const styles: Partial<Record<JobEvent['type'], Style>> = {
  done: 'green',
  dead: 'red',
  retrying: 'yellow',
  cancelled: 'yellow',
  started: 'cyan',
  gap: 'yellow',
}

function tell(event: JobEvent, terminal: Terminal): void {
  terminal.data(eventJson(event))
  terminal.print(lineOf(event))
}

function lineOf({ at, type, jobId, task, queue, attempt, data }: JobEvent): Line {
  const time = iso(at).slice(11, 23)
  if (type === 'gap')
    return [
      time,
      ' ',
      { text: 'gap', style: 'yellow' },
      ' events before this are gone: look with `offload jobs`',
    ]
  const name = type.padEnd(10)
  const style = styles[type]
  return [
    `${time} `,
    style === undefined ? name : { text: name, style },
    ` ${jobId} ${task} in ${queue}`,
    attempt > 0 ? `, attempt ${attempt}` : '',
    data === undefined ? '' : `, ${data}`,
  ]
}
