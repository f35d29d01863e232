import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Data<Value> {
  readonly value: Value | undefined
  readonly error: unknown
  readonly isLoading: boolean
  reload(): void
}

/** What `load` answers, asked anew when `name` changes; what was there stays until the new is. */
export function useData<Value>(name: string, load: (signal: AbortSignal) => Promise<Value>): Data<Value> {
  const [state, setState] = useState<{ name: string; value?: Value; error?: unknown; isLoading: boolean }>({
    name,
    isLoading: true,
  })
  const [turn, setTurn] = useState(0)
  const latest = useRef(load)
  latest.current = load
  useEffect(() => {
    const leave = new AbortController()
    setState((before) => (before.name === name ? { ...before, isLoading: true } : { name, isLoading: true }))
    latest.current(leave.signal).then(
      (value) => leave.signal.aborted || setState({ name, value, isLoading: false }),
      (error: unknown) =>
        leave.signal.aborted || setState((before) => ({ ...before, name, error, isLoading: false })),
    )
    return () => leave.abort()
  }, [name, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  const isOther = state.name !== name
  return {
    value: isOther ? undefined : state.value,
    error: isOther ? undefined : state.error,
    isLoading: isOther || state.isLoading,
    reload,
  }
}
