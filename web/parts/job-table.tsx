import type { ComponentChildren, JSX } from 'preact'
import type { JobRow } from '../../src/dashboard/shapes.ts'
import { to } from '../lib/route.ts'
import { State } from './state.tsx'
import { Table } from './table.tsx'
import { Time } from './time.tsx'

const columns = [
  { title: 'Job' },
  { title: 'Task' },
  { title: 'State' },
  { title: 'Queue', isExtra: true },
  { title: 'Attempts', align: 'right', isExtra: true },
  { title: 'Accepted' },
  { title: 'Ended', isExtra: true },
  { title: 'Error' },
] as const

export function JobTable({
  label,
  jobs,
  empty,
}: {
  label: string
  jobs: readonly JobRow[]
  empty: ComponentChildren
}): JSX.Element {
  return (
    <Table label={label} columns={columns} isEmpty={jobs.length === 0} empty={empty}>
      {jobs.map((job) => (
        <tr key={job.id}>
          <td>
            <a class="id" href={to(['jobs', job.id])} title={job.id}>
              {shortId(job.id)}
            </a>
          </td>
          <td>{job.task}</td>
          <td>
            <State state={job.state} />
          </td>
          <td class="extra">{job.queue}</td>
          <td class="extra right">
            {job.attempt} / {job.maxAttempts}
          </td>
          <td>
            <Time at={job.createdAt} />
          </td>
          <td class="extra">
            <Time at={job.endedAt} />
          </td>
          <td class="error">{job.error === undefined ? '' : `${job.error.code}: ${job.error.message}`}</td>
        </tr>
      ))}
    </Table>
  )
}

/** Ids made here begin with their time: what tells them apart is at their end. */
function shortId(id: string): string {
  return /^[0-9a-z]{30}$/.test(id) ? `…${id.slice(-8)}` : id
}
