import type { JobState } from '../../job/job.ts'
import { jobStates } from '../../job/job.ts'
import type { FindQuery } from '../../ledger.ts'
import type { JobView } from '../../reading/view.ts'
import type { Call } from '../call.ts'
import type { Command, Option } from '../command.ts'
import { jobJson } from '../json.ts'
import { withQueue } from '../store.ts'
import { table } from '../table.ts'
import type { Line, Part, Style } from '../terminal.ts'
import { relative } from '../times.ts'

/** Rows of a page, unless told otherwise. */
export const LIMIT = 20

/** How a list of jobs is turned over. */
export const pageOptions: readonly Option[] = [
  { name: 'limit', value: '<n>', help: `at most so many, 1 to 1000; ${LIMIT} unless told otherwise` },
  { name: 'cursor', value: '<cursor>', help: 'go on where the page before ended' },
]

export const jobs: Command = {
  name: 'jobs',
  summary: 'lists jobs, newest first',
  options: [
    { name: 'state', value: '<state>', help: jobStates.join(', '), choices: jobStates },
    { name: 'task', value: '<name>', help: 'of this task' },
    { name: 'queue', value: '<name>', help: 'of this queue' },
    { name: 'key', value: '<key>', help: 'with this key' },
    { name: 'tenant', value: '<tenant>', help: 'of this tenant' },
    { name: 'from', value: '<time>', help: 'accepted since: an ISO time, or how long ago (2h)' },
    { name: 'to', value: '<time>', help: 'accepted before' },
    ...pageOptions,
  ],
  run: (call) =>
    withQueue(call, async (queue) => {
      const page = await queue.find(queryOf(call))
      tellPage(call, page, (now) => listed(page.jobs, now))
      return 0
    }),
}

/** What the options ask for. @throws USAGE_INVALID */
export function queryOf(call: Call, state = call.text('state') as JobState | undefined): FindQuery {
  const now = Date.now()
  const asked: { [Name in keyof FindQuery]: FindQuery[Name] | undefined } = {
    state,
    ids: call.list('id'),
    task: call.text('task'),
    queue: call.text('queue'),
    key: call.text('key'),
    tenant: call.text('tenant'),
    from: call.instant('from', now),
    to: call.instant('to', now),
    limit: call.number('limit') ?? LIMIT,
    cursor: call.text('cursor'),
  }
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
}

/** Tells a page of jobs in either form, and how to get the next one. */
export function tellPage(
  { terminal }: Call,
  { jobs, next }: { readonly jobs: readonly JobView[]; readonly next?: string },
  lines: (now: number) => readonly Line[],
): void {
  terminal.data({ jobs: jobs.map(jobJson), next })
  if (jobs.length === 0) terminal.note('no jobs fit')
  else terminal.print(...lines(Date.now()))
  if (next !== undefined) terminal.note({ text: `more: --cursor ${next}`, style: 'dim' })
}

function listed(jobs: readonly JobView[], now: number): Line[] {
  return table(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'TASK', most: 40 },
      { title: 'QUEUE', most: 30 },
      { title: 'PRIORITY', right: true },
      { title: 'ATTEMPT', right: true },
      { title: 'ACCEPTED' },
      { title: 'KEY', most: 40 },
    ],
    jobs.map((job) => [
      job.id,
      statePart(job.state),
      job.task,
      job.queue,
      String(job.priority),
      `${job.attempt}/${job.maxAttempts}`,
      relative(job.createdAt, now),
      job.key ?? '',
    ]),
  )
}

const styles: Partial<Record<JobState, Style>> = {
  running: 'cyan',
  done: 'green',
  dead: 'red',
  cancelled: 'yellow',
}

export function statePart(state: JobState): Part {
  const style = styles[state]
  return style === undefined ? state : { text: state, style }
}
