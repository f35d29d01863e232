import type { ComponentChildren, JSX } from 'preact'

export interface Column {
  readonly title: string
  readonly align?: 'right'
  /** Left out where there is little room. */
  readonly isExtra?: boolean
}

/** A dense table, which scrolls by itself where it does not fit. */
export function Table({
  label,
  columns,
  children,
  empty,
  isEmpty,
}: {
  label: string
  columns: readonly Column[]
  children: ComponentChildren
  empty: ComponentChildren
  isEmpty: boolean
}): JSX.Element {
  if (isEmpty) return <div class="empty">{empty}</div>
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by keyboard
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, align, isExtra }) => (
              <th key={title} scope="col" class={classOf(align, isExtra)}>
                {title === '' ? <span class="hidden">Actions</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}

export function classOf(align?: 'right', isExtra?: boolean): string {
  return [align === 'right' ? 'right' : '', isExtra === true ? 'extra' : ''].join(' ').trim()
}
