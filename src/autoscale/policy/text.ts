import type { Decision, Reason, Situation } from './policy.ts'

type Choice = Omit<Decision, 'text'>

const plural = (count: number, what: string): string => `${readable(count)} ${what}${count === 1 ? '' : 's'}`

/** The sentence of a decision, with the figures that it was made from. */
export function textOf({ workers, reason }: Choice, situation: Situation): string {
  const { before, reading } = situation
  const change =
    workers === before ? `stays at ${plural(workers, 'worker')}` : `${before} to ${plural(workers, 'worker')}`
  const ready = `${plural(reading.ready ?? 0, 'job')} ready`
  return `${change}: ${becauseOf[reason](situation)} (${ready}, ${rate(situation)})`
}

export function textOfUnread({ workers, reason }: Choice, missed: number): string {
  const times = plural(missed, 'reading')
  return reason === 'fallback'
    ? `${plural(workers, 'worker')}: ${times} in a row could not be taken, so the fallback holds`
    : `stays at ${plural(workers, 'worker')}: ${times} in a row could not be taken, and no data is not no load`
}

function rate({ demand: { comes, runMs } }: Situation): string {
  return `${readable(comes * 1000)} a second come, ${seconds(runMs)} each`
}

const becauseOf: Record<Reason, (situation: Situation) => string> = {
  steady: ({ right }) => `${right} would be right`,
  backlog: ({ right }) => `what comes and waits takes ${right}`,
  age: ({ plan, demand }) =>
    `the oldest job will be ${seconds(demand.ageMs)} old when a new worker claims, of ${seconds(plan.targetAgeMs)}`,
  spare: ({ highest }) => `no more than ${highest} were right lately`,
  linger: ({ right, highest }) => `${right} would do, but ${highest} were right a moment ago`,
  idle: () => 'nothing is ready, running or due',
  due: ({ reading }) =>
    reading.dueSoon === null
      ? 'whether scheduled jobs are due soon cannot be told'
      : `${plural(reading.dueSoon, 'scheduled job')} may be due soon`,
  failures: ({ failed }) =>
    `${Math.round(failed * 100)} % of the attempts fail, and more workers would fail more`,
  downstream: ({ memory }) =>
    `more than ${memory.efficacy.held?.workers ?? 0} did not end more jobs, so something that they call is the bottleneck`,
  trial: () => 'jobs run slower since it grew, and whether that helped is not known yet',
  host: ({ reading: { host } }) =>
    `this host is full (CPU ${Math.round((host?.cpu ?? 0) * 100)} %, memory ${Math.round((host?.memory ?? 0) * 100)} %)`,
  blind: () => 'nothing could be read',
  fallback: () => 'nothing could be read',
  limit: ({ plan }) => `more would be right, but ${plan.max} are the most`,
}

const readable = (value: number): string => String(Number(value.toPrecision(3)))

const seconds = (ms: number): string => (ms < 1000 ? `${readable(ms)} ms` : `${readable(ms / 1000)} s`)
