import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { JobPage, Sample } from '../../src/dashboard/shapes.ts'
import { get } from '../lib/api.ts'
import { useLive } from '../lib/live.ts'
import { to } from '../lib/route.ts'
import { useData } from '../lib/use-data.ts'
import { count, duration, plural, rate } from '../lib/words.ts'
import { Chart } from '../parts/chart.tsx'
import { JobTable } from '../parts/job-table.tsx'
import { QueueTable } from '../parts/queue-table.tsx'
import { LiveTroubles, Trouble } from '../parts/trouble.tsx'

const MOST_QUEUES = 8

export function OverviewPage(): JSX.Element {
  const { samples, live, trouble, isLost } = useLive()
  const dead = useData('dead', (signal) => get<JobPage>('jobs?state=dead&limit=5', signal))
  const now = live?.sample
  const { reload } = dead
  useEffect(reload, [now?.dead, reload])
  return (
    <>
      <h1>Overview</h1>
      <LiveTroubles title={trouble?.title} isLost={isLost} />
      <Tiles sample={now} />
      <Charts samples={samples} />
      <h2>Queues</h2>
      {live !== undefined && (
        <>
          <QueueTable queues={live.queues.slice(0, MOST_QUEUES)} />
          {live.queues.length > MOST_QUEUES && (
            <p>
              <a href={to(['queues'])}>All {plural(live.queues.length + live.moreQueues, 'queue')}</a>
            </p>
          )}
        </>
      )}
      <h2>Newest dead letters</h2>
      <Trouble error={dead.error} onRetry={dead.reload} />
      {dead.value !== undefined && (
        <JobTable label="Newest dead letters" jobs={dead.value.jobs} empty="No job has died." />
      )}
    </>
  )
}

function Tiles({ sample }: { sample: Sample | undefined }): JSX.Element {
  const workers = sample?.workers
  return (
    <dl class="tiles">
      <Tile name="Ready" value={count(sample?.ready)} />
      <Tile
        name="Oldest waits"
        value={sample?.oldestAgeMs === null ? 'none' : duration(sample?.oldestAgeMs)}
      />
      <Tile name="Running" value={count(sample?.running)} />
      <Tile name="Scheduled" value={count(sample?.scheduled)} />
      <Tile name="Done a second" value={rate(sample?.rates?.done)} />
      <Tile
        name="Dead letters"
        value={count(sample?.dead)}
        isBad={(sample?.dead ?? 0) > 0}
        href={to(['dead'])}
      />
      <Tile
        name="Workers"
        value={workers === undefined || workers === null ? '–' : count(workers.count)}
        note={
          workers === undefined || workers === null
            ? ''
            : workers.troubled > 0
              ? `${workers.troubled} in trouble`
              : `${workers.running} of ${workers.slots} slots busy`
        }
        isBad={(workers?.troubled ?? 0) > 0}
        href={to(['workers'])}
      />
    </dl>
  )
}

function Tile({
  name,
  value,
  note = '',
  isBad = false,
  href,
}: {
  name: string
  value: string
  note?: string
  isBad?: boolean
  href?: string
}): JSX.Element {
  return (
    <div class={isBad ? 'tile bad' : 'tile'}>
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>
        {value}
        {note !== '' && <small>{note}</small>}
      </dd>
    </div>
  )
}

function Charts({ samples }: { samples: readonly Sample[] }): JSX.Element {
  const times = samples.map(({ at }) => at)
  const line = (label: string, colour: string, value: (sample: Sample) => number | null | undefined) => ({
    label,
    colour,
    values: samples.map((sample) => value(sample) ?? null),
  })
  return (
    <div class="charts">
      <Chart
        title="Jobs a second"
        times={times}
        write={(value) => rate(value ?? undefined)}
        lines={[
          line('accepted', 'accent', ({ rates }) => rates?.accepted),
          line('done', 'good', ({ rates }) => rates?.done),
          line('failed', 'warn', ({ rates }) => rates?.failed),
          line('dead', 'bad', ({ rates }) => rates?.dead),
        ]}
      />
      <Chart
        title="Jobs"
        times={times}
        write={count}
        least={5}
        lines={[
          line('ready', 'accent', ({ ready }) => ready),
          line('running', 'good', ({ running }) => running),
        ]}
      />
      <Chart
        title="Age of the oldest ready job"
        times={times}
        write={duration}
        least={10}
        lines={[line('age', 'accent', ({ oldestAgeMs }) => oldestAgeMs ?? 0)]}
      />
      <Chart
        title="Wait, of the last minute"
        times={times}
        write={duration}
        least={10}
        lines={[
          line('half', 'accent', ({ workers }) => workers?.wait?.p50),
          line('95 %', 'warn', ({ workers }) => workers?.wait?.p95),
        ]}
      />
      <Chart
        title="Run, of the last minute"
        times={times}
        write={duration}
        least={10}
        lines={[
          line('half', 'accent', ({ workers }) => workers?.run?.p50),
          line('95 %', 'warn', ({ workers }) => workers?.run?.p95),
        ]}
      />
      <Chart
        title="Workers"
        times={times}
        write={count}
        least={5}
        lines={[
          line('slots', 'accent', ({ workers }) => workers?.slots),
          line('busy', 'good', ({ workers }) => workers?.running),
          line('workers', 'warn', ({ workers }) => workers?.count),
        ]}
      />
    </div>
  )
}
