import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ago, instant } from '../lib/words.ts'

let now = Date.now()
const listeners = new Set<() => void>()
setInterval(() => {
  now = Date.now()
  for (const listener of listeners) listener()
}, 1000)

/** An instant as it is spoken of, kept right; the exact one shows when it is pointed at. */
export function Time({ at }: { at: number | undefined }): JSX.Element {
  const [, setTick] = useState(0)
  useEffect(() => {
    const listener = (): void => setTick((tick) => tick + 1)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, [])
  if (at === undefined) return <span>–</span>
  return (
    <time dateTime={new Date(at).toISOString()} title={instant(at)}>
      {ago(at, Math.max(now, at > Date.now() ? 0 : at))}
    </time>
  )
}
