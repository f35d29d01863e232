import type { Backend } from '../../backend.ts'
import { openBackend } from '../../backends/registry.ts'
import type { Depth, Features } from '../../broker.ts'
import { systemClock } from '../../clock.ts'
import { OffloadError } from '../../job/errors.ts'
import type { Ledger } from '../../ledger.ts'
import { silentLogger } from '../../log.ts'
import type { Place } from '../store.ts'
import { backendOptions } from '../store.ts'
import { span } from '../times.ts'
import type { Finding } from './finding.ts'
import { ok, warn, wrong } from './finding.ts'

const AHEAD_MS = 5000
const IDLE_MS = 60_000

/** Opens what the URL names, looks at it and closes it again. */
export async function storeFindings({ url, ledger }: Place): Promise<Finding[]> {
  let backend: Backend | undefined
  try {
    backend = await openBackend(url, ledger, backendOptions(silentLogger))
    const { broker, ledger: remembers } = backend
    const findings = [ok('open', broker.name), ok('powers', powers(broker.features))]
    if (remembers === undefined)
      return [
        ...findings,
        warn('ledger', 'none', 'name one to have status, results, cancel, dedup and long delays'),
      ]
    return [...findings, ...(await jobFindings(remembers))]
  } catch (error) {
    const code = error instanceof OffloadError ? ` (${error.code})` : ''
    return [
      wrong('open', `it cannot be opened${code}`, error instanceof Error ? error.message : String(error)),
    ]
  } finally {
    await backend?.close()
  }
}

function powers(features: Features): string {
  const most = (value: number): string => (Number.isFinite(value) ? String(value) : 'any')
  return [
    `acknowledges ${features.acknowledge === 'each' ? 'each' : 'up to a position'}`,
    `gives back by ${features.redeliver}`,
    `delays ${features.delayMs === 0 ? 'none' : Number.isFinite(features.delayMs) ? `up to ${span(features.delayMs)}` : 'any'}`,
    `${features.priorities} priorities`,
    `order by key ${yesNo(features.ordered)}`,
    `dedup ${yesNo(features.dedupMs > 0)}`,
    `fenced ${yesNo(features.fenced)}`,
    `messages up to ${most(features.maxMessageBytes)} bytes`,
    `exact depth ${yesNo(features.exactDepth)}`,
  ].join(', ')
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no')

/** Clocks that disagree, and queues that stand still. */
async function jobFindings(ledger: Ledger): Promise<Finding[]> {
  const now = systemClock.now()
  const [newest] = (await ledger.find({ limit: 1 })).jobs
  const clock =
    newest !== undefined && newest.createdAt > now + AHEAD_MS
      ? [
          warn(
            'newest job',
            `it was accepted ${span(newest.createdAt - now)} in the future`,
            'set the clocks of all hosts of this queue (NTP)',
          ),
        ]
      : []
  const still = (await ledger.depth()).flatMap(standingStill)
  return [...clock, ...(still.length > 0 ? still : [ok('queues', 'none stands still')])]
}

function standingStill({ queue, paused, running, oldestAgeMs, ready }: Depth): Finding[] {
  if (ready === 0) return []
  const waits = `${queue} has ${ready ?? 'some'} that wait`
  if (paused) return [warn('queue', `${waits} and is paused`, `offload resume ${queue}`)]
  if (running !== 0 || (oldestAgeMs ?? 0) <= IDLE_MS) return []
  return [
    warn(
      'queue',
      `${waits}, the oldest for ${span(oldestAgeMs ?? 0)}, and none runs`,
      `start a worker: offload work <module> --queues ${queue}`,
    ),
  ]
}
