import type { Terminal } from './terminal.ts'

/** Tells what became of each id; the exit code is 0 when all verdicts are good. */
export function tellVerdicts<Verdict extends string>(
  terminal: Terminal,
  verdicts: readonly (readonly [id: string, verdict: Verdict])[],
  meanings: Readonly<Record<Verdict, string>>,
  good: readonly Verdict[],
): number {
  terminal.data({ jobs: verdicts.map(([id, verdict]) => ({ id, verdict })) })
  for (const [id, verdict] of verdicts) {
    const style = good.includes(verdict) ? 'green' : 'red'
    terminal.print([`${id}  `, { text: meanings[verdict], style }])
  }
  return verdicts.every(([, verdict]) => good.includes(verdict)) ? 0 : 1
}
