import type { Point } from './curve.ts'

export interface Line {
  readonly name: string
  readonly points: readonly Point[]
}

export interface Chart {
  readonly title: string
  readonly unit: string
  /** `linear` begins at 0. */
  readonly scale: 'linear' | 'log'
  readonly lines: readonly Line[]
}

/** Charts below one another, over the same x from 0 to `end`. */
export interface Sheet {
  readonly title: string
  readonly note: string
  readonly xUnit: string
  readonly end: number
  /** Where on x something happened: light ticks above each chart. */
  readonly marks: readonly number[]
  readonly charts: readonly Chart[]
}

const WIDTH = 960
const LEFT = 64
const RIGHT = 24
const TOP = 58
/** Of one chart: its plot, and the room above it for its title and below it for x. */
const PLOT = 130
const HEAD = 36
const FOOT = 38
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#a14f8c', '#888888']

/** A picture in SVG. */
export function draw({ title, note, xUnit, end, marks, charts }: Sheet): string {
  const height = TOP + charts.length * (HEAD + PLOT + FOOT)
  const x = (value: number): number => LEFT + (value / end) * (WIDTH - LEFT - RIGHT)
  const drawn = charts.map((chart, index) => {
    const top = TOP + index * (HEAD + PLOT + FOOT) + HEAD
    return `<g class="chart">\n${[
      text(LEFT, top - 16, heading(chart), 'font-weight="bold"'),
      ...legend(chart.lines, top - 16),
      `<path d="${marks.map((at) => `M${x(at).toFixed(1)} ${top - 8}v6`).join('')}" stroke="#e8a0a0"/>`,
      ...xAxis(x, end, xUnit, top + PLOT),
      ...plot(chart, x, top),
    ].join('\n')}\n</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${text(LEFT, 26, title, 'font-size="17" font-weight="bold"')}
${text(LEFT, 46, note, 'fill="#666"')}
${drawn.join('\n')}
</svg>
`
}

function heading({ title, unit, scale }: Chart): string {
  const about = [unit, scale === 'log' ? 'log scale' : ''].filter((part) => part !== '').join(', ')
  return about === '' ? title : `${title} (${about})`
}

/** From right to left, so that it ends where the plot does. */
function legend(lines: readonly Line[], y: number): string[] {
  let right = WIDTH - RIGHT
  return lines
    .map((line, index) => ({ ...line, colour: COLOURS[index % COLOURS.length] ?? '' }))
    .reverse()
    .flatMap(({ name, colour }) => {
      const [end, left] = [right, right - name.length * 7.4]
      right = left - 40
      return [text(end, y, name, 'text-anchor="end"'), stroke(left - 24, y - 4, left - 8, y - 4, colour, 2.5)]
    })
}

function xAxis(x: (value: number) => number, end: number, unit: string, bottom: number): string[] {
  return ticks(0, end, 10).flatMap((value) => [
    stroke(x(value), bottom, x(value), bottom + 4, '#999'),
    text(x(value), bottom + 18, value === 0 ? `0 ${unit}` : readable(value), 'text-anchor="middle"'),
  ])
}

function plot({ scale, lines }: Chart, x: (value: number) => number, top: number): string[] {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value))
  const marks = scale === 'log' ? logTicks(values) : ticks(0, Math.max(...values, 0), 5, true)
  const [low, high] = [marks[0] ?? 0, marks.at(-1) ?? 1]
  const place = scale === 'log' ? Math.log : (value: number): number => value
  const y = (value: number): number =>
    top + PLOT * (1 - (place(Math.max(value, low)) - place(low)) / (place(high) - place(low)))
  const grid = marks.flatMap((value) => [
    stroke(LEFT, y(value), WIDTH - RIGHT, y(value), value === low ? '#999' : '#e4e4e4'),
    text(LEFT - 8, y(value) + 4, readable(value), 'text-anchor="end"'),
  ])
  const drawn = lines.map(({ points }, index) => {
    const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
    return `<polyline points="${path}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5" stroke-linejoin="round"/>`
  })
  return [...grid, ...drawn]
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string, width = 1): string {
  const [fromX, fromY, toX, toY] = [x1, y1, x2, y2].map((at) => at.toFixed(1))
  return `<path d="M${fromX} ${fromY}L${toX} ${toY}" stroke="${colour}" stroke-width="${width}"/>`
}

function readable(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** Round numbers, about so many, from `low` to `high`; `beyond`: the last is not below `high`. */
export function ticks(low: number, high: number, about: number, beyond = false): number[] {
  const rough = (high - low) / about || 1
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  const last = beyond ? Math.max(first + 1, Math.ceil(high / step - 1e-9)) : Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)))
}

/** Powers of ten around the values, with 2 and 5 times them while those are few. */
export function logTicks(values: readonly number[]): number[] {
  const above = values.filter((value) => value > 0)
  if (above.length === 0) return [1, 10]
  const first = Math.floor(Math.log10(Math.min(...above)))
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...above))))
  const factors = last - first > 2 ? [1] : [1, 2, 5]
  const all = Array.from({ length: last - first }, (_, n) =>
    factors.map((factor) => factor * 10 ** (first + n)),
  )
  return [...all.flat(), 10 ** last].map((value) => Number(value.toPrecision(12)))
}
