// What an observer takes of one job, without a store: `calls.mjs '{"way"}'` sends nanoseconds.

import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { attemptLog } from '../../src/observe/log/attempt-log.ts'
import { together } from '../../src/observe/observers.ts'
import { ways } from './watched.mjs'

const JOBS = 2000
const BATCH = 100
const TURNS = 60

const { way } = JSON.parse(process.argv[2])
const { log, logger, observe = [] } = ways[way]()
const lines = log === true ? [attemptLog(logger, systemClock)] : []
const observer = together([...lines, ...observe], silentLogger)
observer?.attach?.({
  queues: async () => [],
  workers: () => [],
  isClosing: () => false,
  backend: () => 'sqlite',
})

const run = () => 1

function turn(nth) {
  const jobs = Array.from({ length: JOBS }, (_, index) => ({
    id: `${nth}-${index}`,
    task: 'noop',
    queue: 'default',
    payload: '{}',
    priority: 4,
    createdAt: 1,
    maxAttempts: 5,
  }))
  const begun = process.hrtime.bigint()
  const sent = jobs.map((job) => observer?.sending?.(job) ?? job)
  for (let at = 0; at < JOBS; at += BATCH) {
    const part = sent.slice(at, at + BATCH)
    observer?.answered?.({ jobs: part, accepted: part.map(({ id }) => ({ id, status: 'queued' })), ms: 1 })
  }
  for (const job of sent) {
    const claim = { job, attempt: 1, fence: 1, leaseUntil: 1 }
    const within = observer?.around?.(claim)
    if (within === undefined) run()
    else within(run)
    observer?.ended?.({ claim, outcome: 'done', waitMs: 3, runMs: 1, settleMs: 1 })
  }
  return Number(process.hrtime.bigint() - begun) / JOBS
}

let quickest = Number.POSITIVE_INFINITY
for (let nth = 0; nth < TURNS; nth++) quickest = Math.min(quickest, turn(nth))
process.send(quickest, () => process.exit())
