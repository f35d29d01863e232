import type { Answered } from './load.ts'
import { isGood } from './load.ts'
import type { Outcome } from './verify.ts'

/** Both ways side by side, for people. */
export function comparison(blocking: Outcome, offload: Outcome): string {
  const rows: [string, (outcome: Outcome) => string][] = [
    ['orders placed', ({ answers }) => String(answers.length)],
    ['  answered well', ({ answers }) => String(answers.filter(isGood).length)],
    ['  failed', ({ answers }) => String(answers.filter((a) => !isGood(a) && a.status !== 'timeout').length)],
    ['  no answer within 3 s', ({ answers }) => String(answers.filter((a) => a.status === 'timeout').length)],
    ['charged, yet told it failed', (outcome) => String(outcome.chargedYetFailed)],
    ['response time  p50', ({ answers }) => percentile(answers, 0.5)],
    ['               p99', ({ answers }) => percentile(answers, 0.99)],
    ['               max', ({ answers }) => percentile(answers, 1)],
  ]
  const lines = rows.map(([name, cell]) => line(name, cell(blocking), cell(offload)))
  const head = line('', 'inside the request', 'with Offload')
  return [head, '-'.repeat(head.length), ...lines].join('\n')
}

function line(name: string, left: string, right: string): string {
  return `${name.padEnd(30)}${left.padStart(20)}${right.padStart(16)}`
}

function percentile(answers: readonly Answered[], share: number): string {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  const ms = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`
}
