import { clip, safe, width } from './safe.ts'
import type { Line, Part, Style } from './terminal.ts'

export interface Column {
  readonly title: string
  /** Numbers stand at the right. */
  readonly right?: boolean
  /** Longer cells are cut. @default none is */
  readonly most?: number
}

/** Rows under their titles, each column as wide as it must be. */
export function table(columns: readonly Column[], rows: readonly (readonly Part[])[]): Line[] {
  const head = columns.map(({ title }): Part => ({ text: title, style: 'dim' }))
  const cells = [head, ...rows].map((row) => row.map((part, at) => cellOf(part, columns[at]?.most)))
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => width(textOf(row[at])))))
  return cells.map((row) =>
    row.flatMap((part, at): Part[] => {
      const room = ' '.repeat((widths[at] ?? 0) - width(textOf(part)))
      const gap = at === 0 ? '' : '  '
      if (columns[at]?.right === true) return [gap + room, part]
      return at === row.length - 1 ? [gap, part] : [gap, part, room]
    }),
  )
}

/** `name  value` lines, the values under each other. */
export function pairs(entries: readonly (readonly [name: string, value: Part])[]): Line[] {
  const most = Math.max(...entries.map(([name]) => width(safe(name))))
  return entries.map(([name, value]) => [
    { text: name.padEnd(most), style: 'dim' satisfies Style },
    '  ',
    value,
  ])
}

function textOf(part: Part | undefined): string {
  return typeof part === 'object' ? part.text : (part ?? '')
}

function cellOf(part: Part, most: number | undefined): Part {
  const text = most === undefined ? safe(textOf(part)) : clip(safe(textOf(part)), most)
  return typeof part === 'string' ? text : { text, style: part.style }
}
