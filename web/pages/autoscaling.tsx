import type { JSX } from 'preact'
import type { LiveWorkers } from '../../src/dashboard/shapes.ts'
import { useLive } from '../lib/live.ts'
import { count, duration } from '../lib/words.ts'
import { Chart } from '../parts/chart.tsx'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { LiveTroubles } from '../parts/trouble.tsx'

type Scaler = LiveWorkers['scalers'][number]

export function AutoscalingPage(): JSX.Element {
  const { samples, workers: told, trouble, isLost } = useLive(true)
  const times = samples.map(({ at }) => at)
  return (
    <>
      <h1>Autoscaling</h1>
      <LiveTroubles title={trouble?.title} isLost={isLost} />
      <div class="charts">
        <Chart
          title="Workers"
          times={times}
          write={count}
          lines={[
            {
              label: 'workers',
              colour: 'accent',
              values: samples.map(({ workers }) => workers?.count ?? null),
            },
          ]}
        />
        <Chart
          title="Age of the oldest ready job"
          times={times}
          write={duration}
          lines={[
            { label: 'age', colour: 'warn', values: samples.map(({ oldestAgeMs }) => oldestAgeMs ?? 0) },
          ]}
        />
      </div>
      {told?.scalers.length === 0 && (
        <div class="empty">
          Nothing decides how many workers there are. Let it: offload work ./tasks.ts --min 1 --max 8, or
          offload scale for KEDA.
        </div>
      )}
      {told?.scalers.map((scaler) => (
        <Decisions key={scaler.id} scaler={scaler} />
      ))}
    </>
  )
}

function Decisions({ scaler }: { scaler: Scaler }): JSX.Element {
  const { host, pid, queues, min, max, targetAgeMs, workers, decisions } = scaler
  const name = `${host}:${pid}`
  return (
    <>
      <h2>{name}</h2>
      <p>
        Wants <b>{count(workers)}</b> of {count(min)} to {count(max)} workers for{' '}
        {queues?.join(', ') ?? 'all queues'}, so that no job waits for longer than {duration(targetAgeMs)}.
      </p>
      <Table
        label={`Decisions of ${name}`}
        columns={[{ title: 'When' }, { title: 'Workers', align: 'right' }, { title: 'Why' }]}
        isEmpty={decisions.length === 0}
        empty="Nothing had to change yet."
      >
        {[...decisions].reverse().map(({ at, from, to, reason, text }, nth) => (
          <tr key={decisions.length - nth}>
            <td>
              <Time at={at} />
            </td>
            <td class="right">{from === to ? count(to) : `${from} → ${to}`}</td>
            <td>
              <b>{reason}</b>: {text}
            </td>
          </tr>
        ))}
      </Table>
    </>
  )
}
