const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
]

/** How long, in its largest whole unit: `3 min`. */
export function span(ms: number): string {
  for (const [unit, name] of UNITS) if (ms >= unit) return `${Math.floor(ms / unit)} ${name}`
  return `${Math.max(0, Math.round(ms))} ms`
}

/** `3 min ago`, `in 2 h`, `now`. */
export function relative(at: number, now: number): string {
  const ms = now - at
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `${span(ms)} ago` : `in ${span(-ms)}`
}

export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
