import type { JSX } from 'preact'
import { dismiss, useNotices } from '../lib/notices.ts'

/** Read out as they come. */
export function Notices(): JSX.Element {
  const notices = useNotices()
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map(({ id, text, kind, action }) => (
        <div key={id} class={`notice ${kind}`}>
          <span>{text}</span>
          {action !== undefined && (
            <button type="button" class="small" onClick={action.run}>
              {action.label}
            </button>
          )}
          {action === undefined && (
            <button type="button" class="plain" aria-label="Close this notice" onClick={() => dismiss(id)}>
              ×
            </button>
          )}
        </div>
      ))}
    </div>
  )
}
