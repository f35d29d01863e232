import { useEffect, useState } from 'preact/hooks'
import type { DeadGroup, DeadPage as DeadStretch } from '../../src/dashboard/shapes.ts'
import { get, withQuery } from './api.ts'

/** Stretches that are read before somebody must ask for more. */
const MOST_STRETCHES = 10

interface Groups {
  readonly groups: readonly DeadGroup[]
  readonly looked: number
  readonly next?: string | undefined
  readonly isLoading: boolean
  readonly error?: unknown
  readonly hasMore: boolean
  more(): void
  restart(): void
}

/** Reads stretch after stretch, and adds up the groups. */
export function useGroups(queue: string | undefined, task: string | undefined): Groups {
  const [state, setState] = useState<Omit<Groups, 'more' | 'restart' | 'hasMore'>>({
    groups: [],
    looked: 0,
    isLoading: true,
  })
  const [turn, setTurn] = useState({ nth: 0, isMore: false })
  useEffect(() => {
    const leave = new AbortController()
    const read = async (): Promise<void> => {
      let { groups, looked, next } = turn.isMore ? state : { groups: [], looked: 0, next: undefined }
      setState({ groups, looked, next, isLoading: true })
      for (let stretch = 0; stretch < MOST_STRETCHES; stretch++) {
        const page = await get<DeadStretch>(withQuery('dead', { queue, task, cursor: next }), leave.signal)
        groups = added(groups, page.groups)
        looked += page.looked
        next = page.next
        const isLast = next === undefined || stretch === MOST_STRETCHES - 1
        setState({ groups, looked, next, isLoading: !isLast })
        if (isLast) return
      }
    }
    read().catch((error: unknown) => {
      if (!leave.signal.aborted) setState((before) => ({ ...before, isLoading: false, error }))
    })
    return () => leave.abort()
  }, [queue, task, turn])
  return {
    ...state,
    hasMore: state.next !== undefined,
    more: () => setTurn(({ nth }) => ({ nth: nth + 1, isMore: true })),
    restart: () => setTurn(({ nth }) => ({ nth: nth + 1, isMore: false })),
  }
}

function added(before: readonly DeadGroup[], more: readonly DeadGroup[]): DeadGroup[] {
  const groups = new Map(before.map((group) => [nameOf(group), group]))
  for (const group of more) {
    const known = groups.get(nameOf(group))
    groups.set(nameOf(group), known === undefined ? group : together(known, group))
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

function together(a: DeadGroup, b: DeadGroup): DeadGroup {
  return {
    ...(a.newestAt >= b.newestAt ? a : b),
    count: a.count + b.count,
    newestAt: Math.max(a.newestAt, b.newestAt),
    oldestAt: Math.min(a.oldestAt, b.oldestAt),
    queues: [...new Set([...a.queues, ...b.queues])],
  }
}

/** Equal for dead letters that died alike. */
export function nameOf({ task, code, pattern }: DeadGroup): string {
  return JSON.stringify([task, code, pattern])
}
