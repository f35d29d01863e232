import { useEffect, useState } from 'preact/hooks'

export interface Notice {
  readonly id: number
  readonly text: string
  readonly kind: 'info' | 'error'
  /** What a button on it does, and is called. */
  readonly action?: { readonly label: string; readonly run: () => void }
}

const SHOWN_MS = 6000

let notices: readonly Notice[] = []
let lastId = 0
const listeners = new Set<() => void>()

/** Tells of something at the edge of the page. Errors stay until they are closed. */
export function notify(
  text: string,
  more: Partial<Pick<Notice, 'kind' | 'action'>> & { stays?: boolean } = {},
): number {
  const { kind = 'info', action, stays = kind === 'error' } = more
  const id = ++lastId
  change([...notices, { id, text, kind, ...(action === undefined ? {} : { action }) }])
  if (!stays) setTimeout(() => dismiss(id), SHOWN_MS)
  return id
}

export function rewrite(id: number, text: string): void {
  change(notices.map((one) => (one.id === id ? { ...one, text } : one)))
}

export function dismiss(id: number): void {
  change(notices.filter((one) => one.id !== id))
}

export function useNotices(): readonly Notice[] {
  const [shown, setShown] = useState(notices)
  useEffect(() => {
    const listener = (): void => setShown(notices)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, [])
  return shown
}

function change(next: readonly Notice[]): void {
  notices = next
  for (const listener of listeners) listener()
}
