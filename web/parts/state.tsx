import type { JSX } from 'preact'

/** A word with a colour; the word alone says it. */
export function State({ state }: { state: string }): JSX.Element {
  return <span class={`state ${state}`}>{state}</span>
}
