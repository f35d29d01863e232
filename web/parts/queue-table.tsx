import type { JSX } from 'preact'
import type { QueueRow } from '../../src/dashboard/shapes.ts'
import { attempt } from '../lib/act.ts'
import { post } from '../lib/api.ts'
import { to } from '../lib/route.ts'
import { useMay } from '../lib/session.ts'
import { bytes, count, duration, rate } from '../lib/words.ts'
import { Table } from './table.tsx'

const columns = [
  { title: 'Queue' },
  { title: 'Ready', align: 'right' },
  { title: 'Oldest', align: 'right' },
  { title: 'Running', align: 'right' },
  { title: 'Scheduled', align: 'right', isExtra: true },
  { title: 'Dead', align: 'right' },
  { title: 'In /s', align: 'right', isExtra: true },
  { title: 'Done /s', align: 'right', isExtra: true },
  { title: 'Failed /s', align: 'right', isExtra: true },
  { title: '' },
] as const

export function QueueTable({ queues }: { queues: readonly QueueRow[] }): JSX.Element {
  return (
    <Table
      label="Queues"
      columns={columns}
      isEmpty={queues.length === 0}
      empty={
        <>
          No job was queued here yet. <a href={to(['enqueue'])}>Queue the first one</a>
        </>
      }
    >
      {queues.map((queue) => (
        <Row key={queue.queue} queue={queue} />
      ))}
    </Table>
  )
}

function Row({ queue: row }: { queue: QueueRow }): JSX.Element {
  const { queue } = row
  return (
    <tr>
      <td>
        <a href={to(['jobs'], { queue })}>{queue}</a>
        {row.paused && <span class="tag">paused</span>}
        {!row.exact && (
          <span class="faint" title="The broker tells about how many">
            {' '}
            about
          </span>
        )}
      </td>
      <td
        class="right"
        title={row.waitingBytes === null ? undefined : `${bytes(row.waitingBytes)} of payloads wait`}
      >
        {count(row.ready)}
      </td>
      <td class="right">{duration(row.oldestAgeMs)}</td>
      <td class="right">{count(row.running)}</td>
      <td class="right extra">{count(row.scheduled)}</td>
      <td class="right">
        {(row.dead ?? 0) > 0 ? <a href={to(['dead'], { queue })}>{count(row.dead)}</a> : count(row.dead)}
      </td>
      <td class="right extra">{rate(row.rates?.accepted)}</td>
      <td class="right extra">{rate(row.rates?.done)}</td>
      <td class="right extra">{rate(row.rates?.failed)}</td>
      <td class="right">
        <PauseButton queue={queue} isPaused={row.paused} />
      </td>
    </tr>
  )
}

function PauseButton({ queue, isPaused }: { queue: string; isPaused: boolean }): JSX.Element | null {
  const may = useMay()
  const action = isPaused ? 'resume' : 'pause'
  if (!may(action)) return null
  const act = (): Promise<void> =>
    attempt(async () => {
      await post(`queues/${encodeURIComponent(queue)}/${action}`)
      return isPaused
        ? `Queue ${queue} goes on.`
        : `Queue ${queue} is paused: what runs ends, nothing more is started.`
    })
  return (
    <button
      type="button"
      class="small"
      aria-label={`${isPaused ? 'Resume' : 'Pause'} queue ${queue}`}
      onClick={() => void act()}
    >
      {isPaused ? 'Resume' : 'Pause'}
    </button>
  )
}
