import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { plural } from '../lib/words.ts'

const MOST_SHOWN = 100
const LONGEST = 400
/** So many levels are open from the start. */
const OPEN_LEVELS = 2

/** A value of JSON, to look into. Whatever it holds stays text. */
export function Tree({ value, label }: { value: unknown; label: string }): JSX.Element {
  return (
    <div class="tree">
      <Copy value={value} label={label} />
      <Node value={value} level={0} />
    </div>
  )
}

function Node({ name, value, level }: { name?: string; value: unknown; level: number }): JSX.Element {
  if (typeof value !== 'object' || value === null)
    return (
      <div class="leaf">
        <Name name={name} />
        <Scalar value={value} />
      </div>
    )
  return <Branch name={name} value={value} level={level} />
}

function Branch({
  name,
  value,
  level,
}: {
  name: string | undefined
  value: object
  level: number
}): JSX.Element {
  const [isOpen, setOpen] = useState(level < OPEN_LEVELS)
  const [shown, setShown] = useState(MOST_SHOWN)
  const isList = Array.isArray(value)
  const members = Object.entries(value)
  const size = plural(members.length, isList ? 'item' : 'member')
  if (members.length === 0)
    return (
      <div class="leaf">
        <Name name={name} />
        <span class="faint">{isList ? '[ ]' : '{ }'}</span>
      </div>
    )
  return (
    <div class="branch">
      <button type="button" class="plain twist" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span> <Name name={name} />
        <span class="faint">{isList ? `[ ${size} ]` : `{ ${size} }`}</span>
      </button>
      {isOpen && (
        <div class="members">
          {members.slice(0, shown).map(([key, member]) => (
            <Node key={key} name={key} value={member} level={level + 1} />
          ))}
          {members.length > shown && (
            <button type="button" class="small" onClick={() => setShown(shown + MOST_SHOWN)}>
              {members.length - shown} more
            </button>
          )}
        </div>
      )}
    </div>
  )
}

function Name({ name }: { name: string | undefined }): JSX.Element | null {
  return name === undefined ? null : <span class="name">{name}: </span>
}

function Scalar({ value }: { value: unknown }): JSX.Element {
  const [isWhole, setWhole] = useState(false)
  if (typeof value !== 'string') return <span class={`value ${typeof value}`}>{String(value)}</span>
  const isCut = value.length > LONGEST && !isWhole
  return (
    <span class="value string">
      "{isCut ? value.slice(0, LONGEST) : value}"
      {isCut && (
        <button type="button" class="small" onClick={() => setWhole(true)}>
          {value.length - LONGEST} more characters
        </button>
      )}
    </span>
  )
}

function Copy({ value, label }: { value: unknown; label: string }): JSX.Element | null {
  const [isDone, setDone] = useState(false)
  if (navigator.clipboard === undefined) return null
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(JSON.stringify(value, null, 2) ?? 'null')
    setDone(true)
    setTimeout(() => setDone(false), 1500)
  }
  return (
    <button type="button" class="small copy" aria-label={`Copy ${label} as JSON`} onClick={() => void copy()}>
      {isDone ? 'Copied' : 'Copy'}
    </button>
  )
}
