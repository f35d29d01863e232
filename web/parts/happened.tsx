import type { JSX } from 'preact'
import { Time } from './time.tsx'

/** An event of a job, as the stream tells it. */
export interface Told {
  readonly eventId: number
  readonly type: string
  readonly at: number
  readonly attempt: number
  readonly progress?: unknown
}

export function Happened({ told, isEnded }: { told: readonly Told[]; isEnded: boolean }): JSX.Element {
  return (
    <section aria-labelledby="happened">
      <h2 id="happened">Since this page is open</h2>
      {told.length === 0 && (
        <p class="faint">
          {isEnded ? 'It has ended: nothing happens to it.' : 'Nothing yet: this list is live.'}
        </p>
      )}
      <ol class="events">
        {told.map(({ eventId, type, at, attempt, progress }) => (
          <li key={eventId}>
            <Time at={at} /> <b>{type}</b> <span class="faint">attempt {attempt}</span>{' '}
            {progress !== undefined && <code>{JSON.stringify(progress).slice(0, 200)}</code>}
          </li>
        ))}
      </ol>
    </section>
  )
}
