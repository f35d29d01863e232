/** The candidate that a slip of the fingers away from `word`, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const most = word.length < 4 ? 1 : word.length < 8 ? 2 : 3
  let best: string | undefined
  let least = most + 1
  for (const candidate of candidates) {
    const steps = Math.abs(candidate.length - word.length) > most ? least : distance(word, candidate)
    if (steps >= least) continue
    least = steps
    best = candidate
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`. */
function distance(a: string, b: string): number {
  let older: number[] = []
  let old = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((old[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (old[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (older[j - 2] ?? 0) + 1)
      row.push(least)
    }
    older = old
    old = row
  }
  return old[b.length] ?? 0
}

/** `; did you mean "jobs"?`, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates)
  return found === undefined ? '' : `; did you mean ${JSON.stringify(found)}?`
}
