import type { JobFault } from '../../job/job.ts'
import type { Command } from '../command.ts'
import { jobJson } from '../json.ts'
import { jsonText } from '../safe.ts'
import type { HeldJob } from '../store.ts'
import { heldJob } from '../store.ts'
import { pairs } from '../table.ts'
import type { Line, Part, Terminal } from '../terminal.ts'
import { iso, relative } from '../times.ts'
import { statePart } from './jobs.ts'

export const job: Command = {
  name: 'job',
  args: '<id>',
  takes: [1, 1],
  summary: 'tells all that is known of a job',
  about: ['Input, result, progress, faults and log are shown as they are: they may hold what is private.'],
  async run(call) {
    const [id = ''] = call.args
    tellJob(await heldJob(call, id), call.terminal)
    return 0
  },
}

/** Tells of a job in either form. */
export function tellJob(job: HeldJob, terminal: Terminal): void {
  terminal.data(jobJson(job))
  terminal.print(...about(job, Date.now()))
}

function about(view: HeldJob, now: number): Line[] {
  const time = (at: number | undefined): Part | undefined =>
    at === undefined ? undefined : `${relative(at, now).padEnd(12)} ${iso(at)}`
  const json = (value: unknown): Part | undefined => (value === undefined ? undefined : jsonText(value))
  const entries: readonly (readonly [string, Part | undefined])[] = [
    ['id', view.id],
    ['state', view.cancelling ? 'running, asked to cancel' : statePart(view.state)],
    ['task', view.task],
    ['queue', view.queue],
    ['priority', String(view.priority)],
    ['key', view.key],
    ['tenant', view.tenant],
    ['attempt', `${view.attempt} of ${view.maxAttempts}`],
    ['accepted', time(view.createdAt)],
    ['not before', time(view.runAt)],
    ['deadline', time(view.deadline)],
    ['started', time(view.startedAt)],
    ['worker', view.worker],
    [view.state === 'running' ? 'lease until' : 'due', time(view.dueAt)],
    ['ended', time(view.endedAt)],
    ['trace', json(view.trace)],
    ['progress', json(view.progress)],
    ['input', json(view.payload)],
    ['result', json(view.result)],
  ]
  const known = entries.flatMap(([name, part]): (readonly [string, Part])[] =>
    part === undefined ? [] : [[name, part]],
  )
  return [
    ...pairs(known),
    ...(view.faults.length === 0 ? [] : ['', { text: 'faults', style: 'bold' } satisfies Part]),
    ...view.faults.flatMap((fault) => faultLines(fault, now)),
    ...(view.log.length === 0 ? [] : ['', { text: 'log', style: 'bold' } satisfies Part]),
    ...view.log.map(({ at, message }) => `  ${relative(at, now).padEnd(10)} ${message}`),
  ]
}

function faultLines({ attempt, at, code, name, message, stack }: JobFault, now: number): Line[] {
  const frames = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [
    [`  attempt ${attempt}, ${relative(at, now)}: `, { text: code, style: 'red' }, ` ${name}: ${message}`],
    ...frames.map((line): Line => ({ text: `  ${line}`, style: 'dim' })),
  ]
}
