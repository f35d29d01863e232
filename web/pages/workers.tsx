import type { JSX } from 'preact'
import type { LiveWorkers } from '../../src/dashboard/shapes.ts'
import { useLive } from '../lib/live.ts'
import { to } from '../lib/route.ts'
import { bytes, count, duration, plural } from '../lib/words.ts'
import { State } from '../parts/state.tsx'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { LiveTroubles } from '../parts/trouble.tsx'

type Worker = NonNullable<LiveWorkers['workers']>[number]

const columns = [
  { title: 'Worker' },
  { title: 'State' },
  { title: 'Seen' },
  { title: 'Queues', isExtra: true },
  { title: 'Busy', align: 'right' },
  { title: 'Buffer', align: 'right', isExtra: true },
  { title: 'Unsettled', align: 'right', isExtra: true },
  { title: 'Done', align: 'right', isExtra: true },
  { title: 'Failed', align: 'right', isExtra: true },
  { title: 'Wait', align: 'right', isExtra: true },
  { title: 'Run', align: 'right' },
  { title: 'CPU', align: 'right' },
  { title: 'Memory', align: 'right', isExtra: true },
  { title: 'Loop late', align: 'right', isExtra: true },
] as const

export function WorkersPage(): JSX.Element {
  const { workers: told, trouble, isLost } = useLive(true)
  return (
    <>
      <h1>Workers</h1>
      <LiveTroubles title={trouble?.title} isLost={isLost} />
      {told?.workers === null && (
        <div class="empty">This broker has no ledger, so no worker is remembered.</div>
      )}
      {told !== undefined && told.workers !== null && (
        <>
          <Table
            label="Workers"
            columns={columns}
            isEmpty={told.workers.length === 0}
            empty="No worker runs. Start one: offload work ./tasks.ts, or queue.work() in an application."
          >
            {told.workers.map((worker) => (
              <Row key={worker.id} worker={worker} />
            ))}
          </Table>
          <p class="faint">Wait and run are what 95 of 100 jobs of the last minute stayed below.</p>
          {told.moreWorkers > 0 && <p class="faint">{plural(told.moreWorkers, 'more worker')} not shown.</p>}
          <Running workers={told.workers} />
        </>
      )}
    </>
  )
}

function Row({ worker }: { worker: Worker }): JSX.Element {
  const { name, version, state, reason, queues, slots, running, buffered, unsettled, ended, wait, run } =
    worker
  return (
    <tr>
      <td>
        <b title={`offload ${version}`}>{name}</b>
      </td>
      <td>
        <State state={state} />
        {reason !== undefined && <div class="error">{reason}</div>}
        {worker.slowed.map(({ queue, state: how }) => (
          <div key={queue} class="error">
            {queue} is slowed:{' '}
            {how === 'open' ? 'its jobs fail, nothing is started' : 'one job at a time is tried'}
          </div>
        ))}
      </td>
      <td>
        <Time at={worker.seenAt} />
      </td>
      <td class="extra long">{queues.join(', ')}</td>
      <td class="right">
        {running} / {slots}
      </td>
      <td class="right extra">{count(buffered)}</td>
      <td class="right extra">{count(unsettled)}</td>
      <td class="right extra">{count(ended.done)}</td>
      <td class="right extra">{count(ended.failed + ended.dead)}</td>
      <td class="right extra">{duration(wait?.p95)}</td>
      <td class="right">{duration(run?.p95)}</td>
      <td class="right">{Math.round(worker.cpu * 100)} %</td>
      <td class="right extra">{bytes(worker.memoryBytes)}</td>
      <td class="right extra">{duration(worker.loopDelayMs)}</td>
    </tr>
  )
}

/** What each runs now, the oldest first. */
function Running({ workers }: { workers: readonly Worker[] }): JSX.Element {
  const all = workers
    .flatMap(({ name, attempts }) => attempts.map((attempt) => ({ ...attempt, name })))
    .sort((a, b) => a.startedAt - b.startedAt)
    .slice(0, 100)
  return (
    <>
      <h2>What runs now</h2>
      <Table
        label="What runs now"
        columns={[
          { title: 'Task' },
          { title: 'Job' },
          { title: 'Queue', isExtra: true },
          { title: 'Attempt', align: 'right' },
          { title: 'Started' },
          { title: 'Lease ends', isExtra: true },
          { title: 'Worker' },
        ]}
        isEmpty={all.length === 0}
        empty="Nothing runs at this moment."
      >
        {all.map(({ jobId, task, queue, attempt, startedAt, leaseUntil, name }) => (
          <tr key={jobId}>
            <td>{task}</td>
            <td>
              <a class="id" href={to(['jobs', jobId])}>
                {jobId.length > 12 ? `…${jobId.slice(-8)}` : jobId}
              </a>
            </td>
            <td class="extra">{queue}</td>
            <td class="right">{attempt}</td>
            <td>
              <Time at={startedAt} />
            </td>
            <td class="extra">
              <Time at={leaseUntil} />
            </td>
            <td>{name}</td>
          </tr>
        ))}
      </Table>
    </>
  )
}
