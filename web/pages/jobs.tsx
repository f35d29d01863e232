import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { JobPage, JobRow } from '../../src/dashboard/shapes.ts'
import { get, withQuery } from '../lib/api.ts'
import type { Route } from '../lib/route.ts'
import { go } from '../lib/route.ts'
import { useData } from '../lib/use-data.ts'
import { count } from '../lib/words.ts'
import { JobTable } from '../parts/job-table.tsx'
import { Trouble } from '../parts/trouble.tsx'

const STATES = ['scheduled', 'queued', 'running', 'done', 'dead', 'cancelled']
const NAMES = ['id', 'state', 'task', 'queue', 'key', 'text', 'from', 'to'] as const

type Search = { readonly [Name in (typeof NAMES)[number]]?: string }

export function JobsPage({ route }: { route: Route }): JSX.Element {
  const search: Search = Object.fromEntries(
    NAMES.flatMap((name) => (route.query.get(name) ? [[name, route.query.get(name)]] : [])),
  )
  return (
    <>
      <h1>Jobs</h1>
      <SearchForm key={route.query.toString()} search={search} />
      <Found search={search} />
    </>
  )
}

function SearchForm({ search }: { search: Search }): JSX.Element {
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    go(['jobs'], Object.fromEntries(NAMES.map((name) => [name, String(form.get(name) ?? '').trim()])))
  }
  const text = (name: keyof Search, label: string): JSX.Element => (
    <label>
      {label}
      <input name={name} value={search[name] ?? ''} autocomplete="off" spellcheck={false} />
    </label>
  )
  return (
    <form class="bar" onSubmit={onSubmit} aria-label="Search jobs">
      <label>
        State
        <select name="state" value={search.state ?? ''}>
          <option value="">any</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {state}
            </option>
          ))}
        </select>
      </label>
      {text('task', 'Task')}
      {text('queue', 'Queue')}
      {text('key', 'Key')}
      {text('id', 'Id')}
      {text('text', 'Error has')}
      <Instant name="from" label="Accepted from" value={search.from} />
      <Instant name="to" label="until" value={search.to} />
      <span class="buttons">
        <button type="submit" class="first">
          Search
        </button>
        <button type="button" onClick={() => go(['jobs'])}>
          Clear
        </button>
      </span>
    </form>
  )
}

/** A time of the clock here. */
function Instant({
  name,
  label,
  value,
}: {
  name: string
  label: string
  value: string | undefined
}): JSX.Element {
  return (
    <label>
      {label}
      <input type="datetime-local" name={name} value={value ?? ''} step="1" />
    </label>
  )
}

interface Pages {
  readonly jobs: readonly JobRow[]
  readonly next?: string | undefined
  readonly looked: number
  readonly isLoading: boolean
  readonly error?: unknown
}

/** Page by page: what was found stays, and more is asked for. */
function Found({ search }: { search: Search }): JSX.Element {
  const path = (cursor?: string): string =>
    withQuery('jobs', { ...search, from: msOf(search.from), to: msOf(search.to), cursor })
  const first = useData(path(), (signal) => get<JobPage>(path(), signal))
  const [more, setMore] = useState<Pages>({ jobs: [], looked: 0, isLoading: false })
  useEffect(() => setMore({ jobs: [], looked: 0, isLoading: false }), [first.value])
  const next = more.jobs.length > 0 || more.looked > 0 ? more.next : first.value?.next
  const loadMore = async (): Promise<void> => {
    setMore({ ...more, isLoading: true })
    try {
      const page = await get<JobPage>(path(next))
      setMore({
        jobs: [...more.jobs, ...page.jobs],
        next: page.next,
        looked: more.looked + (page.looked ?? page.jobs.length),
        isLoading: false,
      })
    } catch (error) {
      setMore({ ...more, isLoading: false, error })
    }
  }
  const jobs = [...(first.value?.jobs ?? []), ...more.jobs]
  const looked = (first.value?.looked ?? 0) + more.looked
  return (
    <>
      <Trouble error={first.error ?? more.error} onRetry={first.reload} />
      {first.value !== undefined && <JobTable label="Jobs" jobs={jobs} empty={emptyText(next)} />}
      <div class="bar after">
        {next !== undefined && (
          <button type="button" disabled={more.isLoading} onClick={() => void loadMore()}>
            {more.isLoading ? 'Loading …' : search.text === undefined ? 'Older jobs' : 'Look further'}
          </button>
        )}
        <button type="button" onClick={first.reload}>
          Refresh
        </button>
        {search.text !== undefined && first.value !== undefined && (
          <span class="faint">
            {count(looked)} jobs looked through{next === undefined ? ', and there are no more' : ''}
          </span>
        )}
      </div>
    </>
  )
}

function emptyText(next: string | undefined): string {
  return next === undefined ? 'No job fits.' : 'None of the newest jobs fits: look further.'
}

function msOf(local: string | undefined): number | undefined {
  const ms = local === undefined ? Number.NaN : new Date(local).getTime()
  return Number.isNaN(ms) ? undefined : ms
}
