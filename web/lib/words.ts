/** Numbers, times and durations as people read them. */
const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' })

export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return value >= 100_000 ? short.format(value) : whole.format(value)
}

export function rate(value: number | undefined): string {
  if (value === undefined) return '–'
  return value >= 10 ? count(Math.round(value)) : String(Math.round(value * 10) / 10)
}

/** `850 ms`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (ms < 1) return ms <= 0 ? '0 ms' : '< 1 ms'
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** As code writes it, nothing cut: `90s`. */
export function exactly(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ] as const
  const [size, unit] = units.find(([each]) => ms % each === 0) ?? [1, 'ms']
  return `${ms / size}${unit}`
}

export function ago(at: number, now: number): string {
  const ms = now - at
  if (Math.abs(ms) < 1000) return 'now'
  const text = duration(Math.floor(Math.abs(ms) / 1000) * 1000).replace('.0', '')
  return ms > 0 ? `${text} ago` : `in ${text}`
}

export function instant(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', ' UTC')
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`
}

export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}
