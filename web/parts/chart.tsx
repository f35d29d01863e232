import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { onTheme } from '../lib/theme.ts'

export interface Line {
  readonly label: string
  /** The name of a colour of the style sheet. */
  readonly colour: string
  readonly values: readonly (number | null)[]
}

const HEIGHT = 150
/** What is shown at least, in seconds. */
const SPAN_S = 60

/** Lines over the last minutes. What they say now is told beside their names, so that nobody needs to see them. */
export function Chart({
  title,
  times,
  lines,
  write,
  least = 1,
}: {
  title: string
  times: readonly number[]
  lines: readonly Line[]
  write: (value: number | null | undefined) => string
  /** The upright axis goes this far at least. */
  least?: number
}): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const latest = useRef({ times, lines, write, least })
  latest.current = { times, lines, write, least }
  useEffect(() => {
    const { current: element } = place
    if (element === null) return
    const draw = (): void => {
      plot.current?.destroy()
      plot.current = new uPlot(optionsOf(element, latest.current), dataOf(latest.current), element)
    }
    draw()
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    )
    resized.observe(element)
    const stop = onTheme(draw)
    return () => {
      stop()
      resized.disconnect()
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => {
    plot.current?.setData(dataOf(latest.current), true)
  }, [times, lines])
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        {lines.map(({ label, colour, values }) => (
          <span key={label} class={`key ${colour}`}>
            {label} <b>{write(values.at(-1))}</b>
          </span>
        ))}
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${title}, the last five minutes`} />
    </figure>
  )
}

type Shown = Required<Pick<Parameters<typeof Chart>[0], 'times' | 'lines' | 'write' | 'least'>>

function dataOf({ times, lines }: Shown): uPlot.AlignedData {
  return [times.map((at) => at / 1000), ...lines.map(({ values }) => [...values])]
}

function optionsOf(element: HTMLElement, { lines, write, least: reach }: Shown): uPlot.Options {
  const colour = (name: string): string => colourOf(element, name)
  const axis = { stroke: colour('faint'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } }
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 26, 0, 0],
    scales: {
      x: {
        range: (_, least, most) => (most === null ? [least, most] : [Math.min(least, most - SPAN_S), most]),
      },
      y: { range: (_, __, most) => [0, Math.max(reach, most * 1.1)] },
    },
    axes: [
      { ...axis, font: FONT, size: 22, space: 70, values: (_, ticks) => ticks.map(clock) },
      { ...axis, font: FONT, size: 56, space: 34, values: (_, ticks) => ticks.map((tick) => write(tick)) },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name }) => ({
        label,
        stroke: colour(name),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  }
}

/** As the theme has it: a canvas knows no variables. */
function colourOf(element: HTMLElement, name: string): string {
  const before = element.style.color
  element.style.color = `var(--${name})`
  const { color } = getComputedStyle(element)
  element.style.color = before
  return color
}

const FONT = '11px system-ui, sans-serif'

function clock(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8)
}
