import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { JobDetail } from '../../src/dashboard/shapes.ts'
import { attempt } from '../lib/act.ts'
import { get, post } from '../lib/api.ts'
import { to } from '../lib/route.ts'
import { useMay } from '../lib/session.ts'
import { openStream } from '../lib/stream.ts'
import { useData } from '../lib/use-data.ts'
import { duration } from '../lib/words.ts'
import { CarriedParts } from '../parts/carried.tsx'
import type { Told } from '../parts/happened.tsx'
import { Happened } from '../parts/happened.tsx'
import { State } from '../parts/state.tsx'
import { Time } from '../parts/time.tsx'
import { Trouble } from '../parts/trouble.tsx'

const MOST_TOLD = 200

export function JobPage({ id }: { id: string }): JSX.Element {
  const path = `jobs/${encodeURIComponent(id)}`
  const job = useData(path, (signal) => get<JobDetail>(path, signal))
  const told = useEvents(path, job.reload)
  const { value } = job
  return (
    <>
      <h1>
        Job <span class="id">{id}</span>
      </h1>
      <Trouble error={job.error} onRetry={job.reload} />
      {value !== undefined && (
        <>
          <div class="bar head">
            <State state={value.cancelling ? 'cancelling' : value.state} />
            <Steering job={value} path={path} onDone={job.reload} />
          </div>
          <Facts job={value} />
          <Failures job={value} />
          {value.carried !== undefined && (
            <CarriedParts carried={value.carried} progress={progressOf(told)} path={path} />
          )}
          {value.carried === undefined && <p class="faint">What this job carries is not shown to you.</p>}
        </>
      )}
      {value !== undefined && <Happened told={told} isEnded={isEnded(value)} />}
    </>
  )
}

function Steering({ job, path, onDone }: { job: JobDetail; path: string; onDone: () => void }): JSX.Element {
  const may = useMay()
  const cancel = (): Promise<void> =>
    attempt(async () => {
      const { verdict } = await post<{ verdict: string }>(`${path}/cancel`)
      onDone()
      return verdicts[verdict] ?? verdict
    })
  const retry = (): Promise<void> =>
    attempt(async () => {
      const { retried } = await post<{ retried: boolean }>(`${path}/retry`)
      onDone()
      return retried ? 'It is queued again, with all its attempts.' : 'It is no dead letter any more.'
    })
  return (
    <span class="buttons">
      {job.state === 'dead' && may('retry') && (
        <button type="button" class="first" onClick={() => void retry()}>
          Retry
        </button>
      )}
      {!isEnded(job) && may('cancel') && (
        <button type="button" class="danger" disabled={job.cancelling} onClick={() => void cancel()}>
          Cancel
        </button>
      )}
    </span>
  )
}

const verdicts: Readonly<Record<string, string>> = {
  cancelled: 'It is cancelled.',
  cancelling: 'It runs, and was asked to stop.',
  ended: 'It had ended before.',
  unknown: 'It is no longer remembered.',
}

function Facts({ job }: { job: JobDetail }): JSX.Element {
  const { task, queue, key, tenant, priority, attempt: tries, maxAttempts, worker } = job
  const facts: readonly (readonly [string, JSX.Element | string | undefined])[] = [
    [
      'Task',
      <a key="task" href={to(['jobs'], { task })}>
        {task}
      </a>,
    ],
    [
      'Queue',
      <a key="queue" href={to(['jobs'], { queue })}>
        {queue}
      </a>,
    ],
    [
      'Key',
      key === undefined ? undefined : (
        <a key="key" href={to(['jobs'], { key, queue })}>
          {key}
        </a>
      ),
    ],
    ['Tenant', tenant],
    ['Attempts', `${tries} of ${maxAttempts}`],
    ['Priority', String(priority)],
    ['Accepted', <Time key="at" at={job.createdAt} />],
    ['Not before', job.runAt === undefined ? undefined : <Time key="at" at={job.runAt} />],
    ['Not after', job.deadline === undefined ? undefined : <Time key="at" at={job.deadline} />],
    ['Last started', job.startedAt === undefined ? undefined : <Time key="at" at={job.startedAt} />],
    ['Ended', job.endedAt === undefined ? undefined : <Time key="at" at={job.endedAt} />],
    [
      'Last attempt took',
      job.startedAt === undefined || job.endedAt === undefined
        ? undefined
        : duration(job.endedAt - job.startedAt),
    ],
    [
      'Worker',
      worker === undefined ? undefined : (
        <a key="worker" href={to(['workers'])}>
          {worker.name}
        </a>
      ),
    ],
  ]
  return (
    <dl class="facts">
      {facts.map(([name, value]) =>
        value === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  )
}

function Failures({ job: { faults } }: { job: JobDetail }): JSX.Element | null {
  if (faults.length === 0) return null
  return (
    <section aria-labelledby="failures">
      <h2 id="failures">Failed attempts</h2>
      <ol class="faults">
        {[...faults].reverse().map((fault, nth) => (
          <li key={`${fault.attempt} ${fault.at}`}>
            <p>
              <b>Attempt {fault.attempt}</b> · <Time at={fault.at} /> · <code>{fault.code}</code>
              {fault.name !== 'Error' && <code> {fault.name}</code>}
            </p>
            <p class="message">{fault.message}</p>
            {fault.stack !== undefined && (
              <details open={nth === 0}>
                <summary>Stack</summary>
                {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by keyboard */}
                <pre tabIndex={0}>{fault.stack}</pre>
              </details>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}

/** What happens from now on; the job is looked at again when it changes. */
function useEvents(path: string, reload: () => void): readonly Told[] {
  const [told, setTold] = useState<readonly Told[]>([])
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    let isSecond = false
    const end = openStream(`${path}/events`, (stream) => {
      stream.addEventListener('state', () => {
        if (isSecond) reload()
        isSecond = true
      })
      stream.addEventListener('event', ({ data }) => {
        const event = JSON.parse(data) as Told
        setTold((before) => [event, ...before].slice(0, MOST_TOLD))
        if (event.type === 'progress') return
        clearTimeout(waiting.current)
        waiting.current = setTimeout(reload, 100)
      })
    })
    return () => {
      clearTimeout(waiting.current)
      end()
    }
  }, [path, reload])
  return told
}

function progressOf(told: readonly Told[]): unknown {
  return told.find(({ type }) => type === 'progress')?.progress
}

function isEnded({ state }: JobDetail): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled'
}
