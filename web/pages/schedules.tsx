import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { SchedulePage } from '../../src/dashboard/shapes.ts'
import { attempt } from '../lib/act.ts'
import { get, post, withQuery } from '../lib/api.ts'
import { to } from '../lib/route.ts'
import { useMay } from '../lib/session.ts'
import { useData } from '../lib/use-data.ts'
import { exactly } from '../lib/words.ts'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { Trouble } from '../parts/trouble.tsx'

type Schedule = SchedulePage['schedules'][number]

const columns = [
  { title: 'Schedule' },
  { title: 'When' },
  { title: 'Task' },
  { title: 'Next' },
  { title: 'Last tick', isExtra: true },
  { title: 'Last job', isExtra: true },
  { title: '' },
] as const

export function SchedulesPage(): JSX.Element {
  const [after, setAfter] = useState<string>()
  const path = withQuery('schedules', { after })
  const page = useData(path, (signal) => get<SchedulePage>(path, signal))
  const { value } = page
  return (
    <>
      <h1>Schedules</h1>
      <Trouble error={page.error} onRetry={page.reload} />
      {value !== undefined && (
        <Table
          label="Schedules"
          columns={columns}
          isEmpty={value.schedules.length === 0}
          empty="No schedule is stored. An application stores those that it is made with: offload({ schedules: [...] })."
        >
          {value.schedules.map((schedule) => (
            <Row key={schedule.name} schedule={schedule} onDone={page.reload} />
          ))}
        </Table>
      )}
      <div class="bar after">
        {after !== undefined && (
          <button type="button" onClick={() => setAfter(undefined)}>
            First page
          </button>
        )}
        {value?.next !== undefined && (
          <button type="button" onClick={() => setAfter(value.next)}>
            Next page
          </button>
        )}
        <button type="button" onClick={page.reload}>
          Refresh
        </button>
      </div>
    </>
  )
}

function Row({ schedule, onDone }: { schedule: Schedule; onDone: () => void }): JSX.Element {
  const { name, task, paused, nextAt, lastTick, lastJobId } = schedule
  return (
    <tr>
      <td>
        <b>{name}</b>
        {paused && <span class="tag">paused</span>}
      </td>
      <td>
        <code>{whenOf(schedule)}</code>
      </td>
      <td>{task}</td>
      <td>{paused ? 'paused' : nextAt === undefined ? 'never' : <Time at={nextAt} />}</td>
      <td class="extra">
        <Time at={lastTick} />
      </td>
      <td class="extra">{lastJobId === undefined ? '–' : <a href={to(['jobs', lastJobId])}>look</a>}</td>
      <td class="right">
        <Steering name={name} isPaused={paused} onDone={onDone} />
      </td>
    </tr>
  )
}

function Steering({
  name,
  isPaused,
  onDone,
}: {
  name: string
  isPaused: boolean
  onDone: () => void
}): JSX.Element | null {
  const may = useMay()
  if (!may('schedule')) return null
  const act = (what: 'pause' | 'resume' | 'run', told: string): Promise<void> =>
    attempt(async () => {
      await post(`schedules/${encodeURIComponent(name)}/${what}`)
      onDone()
      return told
    })
  return (
    <span class="buttons">
      <button
        type="button"
        class="small"
        aria-label={`Run now: ${name}`}
        onClick={() => void act('run', `A job of ${name} is queued.`)}
      >
        Run now
      </button>
      {isPaused ? (
        <button
          type="button"
          class="small"
          aria-label={`Resume ${name}`}
          onClick={() => void act('resume', `${name} goes on.`)}
        >
          Resume
        </button>
      ) : (
        <button
          type="button"
          class="small"
          aria-label={`Pause ${name}`}
          onClick={() => void act('pause', `${name} is paused.`)}
        >
          Pause
        </button>
      )}
    </span>
  )
}

function whenOf({ cron, timeZone, every }: Schedule): string {
  return every === undefined ? `${cron ?? ''} ${timeZone ?? ''}`.trim() : `every ${exactly(every)}`
}
