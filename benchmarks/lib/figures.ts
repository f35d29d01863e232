import { cpus } from 'node:os'

export const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** The value below which `part` (0 to 1) of the others lie; 0 of nothing. */
export function percentile(values: readonly number[], part: number): number {
  const all = sorted(values)
  return all[Math.min(all.length - 1, Math.floor(all.length * part))] ?? 0
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** Thousands apart, three digits that mean something. */
export function readable(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toPrecision(3)
}

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => (typeof cell === 'number' ? readable(cell) : cell)).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** The sentence that stands above every result. */
export function machine(): string {
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}).`
}
