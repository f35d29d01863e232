import { useEffect, useState } from 'preact/hooks'
import type { Live, LiveTrouble, LiveWorkers, Sample } from '../../src/dashboard/shapes.ts'
import { openStream } from './stream.ts'

const MOST_KEPT = 300

export interface LiveState {
  readonly samples: readonly Sample[]
  readonly live: Live | undefined
  readonly workers: LiveWorkers | undefined
  /** The store does not answer the server. */
  readonly trouble: LiveTrouble | undefined
  /** The server does not answer the page. */
  readonly isLost: boolean
}

const nothing: LiveState = {
  samples: [],
  live: undefined,
  workers: undefined,
  trouble: undefined,
  isLost: false,
}

/** What happens, each second, as long as the page can be seen: browsers allow few streams to one server. */
export function useLive(withWorkers = false): LiveState {
  const [state, setState] = useState(nothing)
  useEffect(() => {
    const path = `live${withWorkers ? '?workers' : ''}`
    let end: (() => void) | undefined
    const close = (): void => {
      end?.()
      end = undefined
    }
    const open = (): void => {
      if (document.hidden) close()
      else end ??= openStream(path, (stream) => listen(stream, setState))
    }
    open()
    document.addEventListener('visibilitychange', open)
    return () => {
      document.removeEventListener('visibilitychange', open)
      close()
    }
  }, [withWorkers])
  return state
}

function listen(stream: EventSource, setState: (change: (before: LiveState) => LiveState) => void): void {
  const on = <Value>(
    name: string,
    change: (value: Value) => (before: LiveState) => Partial<LiveState>,
  ): void =>
    stream.addEventListener(name, ({ data }) => {
      const changed = change(JSON.parse(data) as Value)
      setState((before) => ({ ...before, ...changed(before), isLost: false }))
    })
  on<readonly Sample[]>('history', (samples) => () => ({ samples }))
  on<Live>('live', (live) => ({ samples }) => ({
    live,
    trouble: undefined,
    samples: [...samples.slice(1 - MOST_KEPT), live.sample],
  }))
  on<LiveWorkers>('workers', (workers) => () => ({ workers }))
  on<LiveTrouble>('trouble', (trouble) => () => ({ trouble }))
  stream.addEventListener('error', () => setState((before) => ({ ...before, isLost: true })))
}
