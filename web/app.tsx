import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { About } from '../src/dashboard/shapes.ts'
import icon from './icon.svg'
import { get } from './lib/api.ts'
import type { Route } from './lib/route.ts'
import { to, useRoute } from './lib/route.ts'
import { Session } from './lib/session.ts'
import type { Theme } from './lib/theme.ts'
import { setTheme, storedTheme } from './lib/theme.ts'
import { useData } from './lib/use-data.ts'
import { AutoscalingPage } from './pages/autoscaling.tsx'
import { DeadPage } from './pages/dead.tsx'
import { EnqueuePage } from './pages/enqueue.tsx'
import { JobPage } from './pages/job.tsx'
import { JobsPage } from './pages/jobs.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { QueuesPage } from './pages/queues.tsx'
import { SchedulesPage } from './pages/schedules.tsx'
import { WorkersPage } from './pages/workers.tsx'
import { Notices } from './parts/notices.tsx'
import { Trouble } from './parts/trouble.tsx'

const views: readonly { path: string; title: string; page: (props: { route: Route }) => JSX.Element }[] = [
  { path: '', title: 'Overview', page: OverviewPage },
  { path: 'queues', title: 'Queues', page: QueuesPage },
  {
    path: 'jobs',
    title: 'Jobs',
    page: ({ route }) =>
      route.path[1] === undefined ? (
        <JobsPage route={route} />
      ) : (
        <JobPage key={route.path[1]} id={route.path[1]} />
      ),
  },
  { path: 'dead', title: 'Dead letters', page: DeadPage },
  { path: 'schedules', title: 'Schedules', page: SchedulesPage },
  { path: 'workers', title: 'Workers', page: WorkersPage },
  { path: 'autoscaling', title: 'Autoscaling', page: AutoscalingPage },
  { path: 'enqueue', title: 'Enqueue', page: EnqueuePage },
]

export function App(): JSX.Element {
  const route = useRoute()
  const about = useData('about', (signal) => get<About>('about', signal))
  const [first = ''] = route.path
  const view = views.find(({ path }) => path === first)
  const title = first === 'jobs' && route.path[1] !== undefined ? 'Job' : (view?.title ?? 'Not here')
  const main = useRef<HTMLElement>(null)
  const place = route.path.join('/')
  const isFirst = useRef(true)
  useEffect(() => {
    document.title = `${title} · Offload`
    // On a phone the menu is wider than the page.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    // Who reads by ear hears where a link led to.
    if (!isFirst.current) main.current?.focus()
    isFirst.current = false
  }, [place, title])
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="side">
        <a class="brand" href={to([])}>
          <img src={icon} alt="" width="22" height="22" />
          Offload
        </a>
        <nav aria-label="Views">
          {views.map(({ path, title }) => (
            <a
              key={path}
              href={to(path === '' ? [] : [path])}
              aria-current={path === first ? 'page' : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
        <div class="foot">
          <ThemeChoice />
          {about.value?.readOnly && <span class="tag">read-only</span>}
          <span class="faint">{about.value?.version}</span>
        </div>
      </header>
      <main ref={main} tabIndex={-1}>
        {about.value !== undefined && view !== undefined && (
          <Session.Provider value={about.value}>
            <view.page route={route} />
          </Session.Provider>
        )}
        {view === undefined && <h1>There is no view {first}</h1>}
        <Trouble error={about.error} onRetry={about.reload} />
      </main>
      <Notices />
    </>
  )
}

function ThemeChoice(): JSX.Element {
  const [theme, setChosen] = useState(storedTheme())
  const choose = (chosen: Theme): void => {
    setTheme(chosen)
    setChosen(chosen)
  }
  return (
    <label class="theme">
      <span class="hidden">Colours</span>
      <select value={theme} onChange={({ currentTarget }) => choose(currentTarget.value as Theme)}>
        <option value="auto">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  )
}
