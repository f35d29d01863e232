import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { DeadGroup, DeadSelection } from '../../src/dashboard/shapes.ts'
import { purgeLater, redrive } from '../lib/act.ts'
import { nameOf, useGroups } from '../lib/dead-groups.ts'
import type { Route } from '../lib/route.ts'
import { go, to } from '../lib/route.ts'
import { useMay } from '../lib/session.ts'
import { count, plural } from '../lib/words.ts'
import { Time } from '../parts/time.tsx'
import { Trouble } from '../parts/trouble.tsx'

export function DeadPage({ route }: { route: Route }): JSX.Element {
  const queue = route.query.get('queue') ?? undefined
  const task = route.query.get('task') ?? undefined
  const dead = useGroups(queue, task)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const groups = dead.groups.filter((group) => chosen.has(nameOf(group)))
  return (
    <>
      <h1>Dead letters</h1>
      <p class="faint">Jobs that are not tried again by themselves, by what they died of.</p>
      <Scope queue={queue} task={task} />
      <Trouble error={dead.error} onRetry={dead.restart} />
      <Acting
        groups={groups}
        queue={queue}
        onDone={() => {
          setChosen(new Set())
          dead.restart()
        }}
      />
      {dead.groups.length === 0 && !dead.isLoading && dead.error === undefined && (
        <div class="empty">No dead letters. Every job has ended well, or is still being tried.</div>
      )}
      <ul class="groups" aria-label="Dead letters by error">
        {dead.groups.map((group) => (
          <Group
            key={nameOf(group)}
            group={group}
            isChosen={chosen.has(nameOf(group))}
            onChoose={(isChosen) => setChosen(changed(chosen, nameOf(group), isChosen))}
          />
        ))}
      </ul>
      <div class="bar after">
        {dead.hasMore && !dead.isLoading && (
          <button type="button" onClick={dead.more}>
            Look further
          </button>
        )}
        <button type="button" onClick={dead.restart}>
          Refresh
        </button>
        <span class="faint">
          {dead.isLoading
            ? 'Looking …'
            : `${plural(dead.looked, 'dead letter')} looked at${dead.hasMore ? ', and there are more' : ''}`}
        </span>
      </div>
    </>
  )
}

function Scope({ queue, task }: { queue: string | undefined; task: string | undefined }): JSX.Element | null {
  if (queue === undefined && task === undefined) return null
  return (
    <p>
      Only{' '}
      {task !== undefined && (
        <>
          of task <b>{task}</b>{' '}
        </>
      )}
      {queue !== undefined && (
        <>
          of queue <b>{queue}</b>{' '}
        </>
      )}
      <button type="button" class="small" onClick={() => go(['dead'])}>
        Show all
      </button>
    </p>
  )
}

function Acting({
  groups,
  queue,
  onDone,
}: {
  groups: readonly DeadGroup[]
  queue: string | undefined
  onDone: () => void
}): JSX.Element | null {
  const may = useMay()
  const [isBusy, setBusy] = useState(false)
  if (!may('redrive') && !may('purge')) return null
  const total = groups.reduce((sum, group) => sum + group.count, 0)
  const selections = groups.map(
    ({ task, code, pattern }): DeadSelection => ({
      task,
      code,
      pattern,
      ...(queue === undefined ? {} : { queue }),
    }),
  )
  const during = async (work: () => Promise<boolean>): Promise<void> => {
    setBusy(true)
    if (await work()) onDone()
    setBusy(false)
  }
  const onRedrive = (): Promise<void> => during(() => redrive(selections).then(() => true))
  const onPurge = (): Promise<void> => during(() => purgeLater(selections, plural(total, 'dead letter')))
  const isIdle = groups.length === 0 || isBusy
  return (
    <div class="bar sticky">
      <span>{groups.length === 0 ? 'Choose what to act on.' : `${plural(total, 'dead letter')} chosen`}</span>
      <span class="buttons">
        {may('redrive') && (
          <button type="button" class="first" disabled={isIdle} onClick={() => void onRedrive()}>
            Redrive
          </button>
        )}
        {may('purge') && (
          <button type="button" class="danger" disabled={isIdle} onClick={() => void onPurge()}>
            Purge
          </button>
        )}
      </span>
    </div>
  )
}

function Group({
  group,
  isChosen,
  onChoose,
}: {
  group: DeadGroup
  isChosen: boolean
  onChoose: (isChosen: boolean) => void
}): JSX.Element {
  const { task, code, message, pattern, newestId, newestAt, oldestAt, queues } = group
  return (
    <li>
      <label>
        <input
          type="checkbox"
          checked={isChosen}
          onChange={({ currentTarget }) => onChoose(currentTarget.checked)}
        />
        <span class="count">{count(group.count)}</span>
        <span class="what">
          <b>{task}</b> <code>{code}</code>
        </span>
        <span class="message">{message}</span>
      </label>
      <p class="faint">
        newest <Time at={newestAt} />
        {oldestAt !== newestAt && (
          <>
            , oldest <Time at={oldestAt} />
          </>
        )}{' '}
        · queue {queues.join(', ')} · <a href={to(['jobs', newestId])}>look at the newest</a> ·{' '}
        <a href={to(['jobs'], { state: 'dead', task, text: longestPart(pattern) })}>list them</a>
      </p>
    </li>
  )
}

function changed(chosen: ReadonlySet<string>, name: string, isChosen: boolean): ReadonlySet<string> {
  const next = new Set(chosen)
  if (isChosen) next.add(name)
  else next.delete(name)
  return next
}

/** What is the same in all their messages. */
function longestPart(pattern: string): string {
  return pattern
    .split('#')
    .map((part) => part.trim())
    .reduce((a, b) => (b.length > a.length ? b : a), '')
}
