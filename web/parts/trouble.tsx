import type { JSX } from 'preact'
import { messageOf } from '../lib/act.ts'

/** What went wrong, in words, and another try. */
export function Trouble({ error, onRetry }: { error: unknown; onRetry?: () => void }): JSX.Element | null {
  if (error === undefined) return null
  return (
    <div class="trouble" role="alert">
      <p>{messageOf(error)}</p>
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

export function LiveTroubles({
  title,
  isLost,
}: {
  title: string | undefined
  isLost: boolean
}): JSX.Element | null {
  if (!isLost && title === undefined) return null
  return (
    <div class="trouble" role="alert">
      <p>
        {isLost
          ? 'The server of this page does not answer, or lets you in no more. It is tried again by itself.'
          : title}
      </p>
    </div>
  )
}
