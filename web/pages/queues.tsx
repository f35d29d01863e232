import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useLive } from '../lib/live.ts'
import { plural } from '../lib/words.ts'
import { QueueTable } from '../parts/queue-table.tsx'
import { LiveTroubles } from '../parts/trouble.tsx'

export function QueuesPage(): JSX.Element {
  const { live, trouble, isLost } = useLive()
  const [wanted, setWanted] = useState('')
  const queues = live?.queues.filter(({ queue }) => queue.includes(wanted.trim()))
  return (
    <>
      <h1>Queues</h1>
      <LiveTroubles title={trouble?.title} isLost={isLost} />
      <div class="bar">
        <label>
          Name has
          <input
            type="search"
            value={wanted}
            onInput={({ currentTarget }) => setWanted(currentTarget.value)}
          />
        </label>
      </div>
      {queues !== undefined && <QueueTable queues={queues} />}
      {live !== undefined && live.moreQueues > 0 && (
        <p class="faint">{plural(live.moreQueues, 'queue')} with less to do are not shown.</p>
      )}
    </>
  )
}
