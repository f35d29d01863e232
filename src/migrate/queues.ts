import type { Depth } from '../broker.ts'
import type { Ledger } from '../ledger.ts'
import type { Journal, KnownQueue } from './journal.ts'

/** Pauses queues of the old store. Those that were paused before are paused in the new one, before a job of theirs gets there. */
export async function pauseQueues(
  from: Ledger,
  to: Ledger,
  journal: Journal,
  queues: readonly string[],
): Promise<void> {
  if (queues.length === 0) return
  const known = (await from.depth(queues)).map((depth) => knownAs(depth, journal))
  // Before the pause: a kill in between must not make ours look like one that was there.
  await journal.note(known)
  for (const { queue } of known) await from.act({ type: 'pause', queue })
  const carried = known.filter(({ paused, carried }) => paused && !carried)
  for (const { queue } of carried) await to.act({ type: 'pause', queue })
  if (carried.length > 0) await journal.note(carried.map((one) => ({ ...one, carried: true })))
}

/** A pause that was seen before is ours or theirs as it was then; one that was lifted since is over. */
function knownAs({ queue, paused }: Depth, journal: Journal): KnownQueue {
  const before = journal.queues.find((one) => one.queue === queue)
  return before !== undefined && paused ? before : { queue, paused, carried: false }
}

/** Lifts the pauses that are ours: nothing was moved. */
export async function resumeQueues(from: Ledger, journal: Journal): Promise<void> {
  for (const { queue, paused } of journal.queues) if (!paused) await from.act({ type: 'resume', queue })
  await journal.remove()
}
