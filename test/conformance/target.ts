import { describe, test } from 'vitest'
import type { Backend, BackendOptions } from '../../src/backend.ts'
import { defaultRetention } from '../../src/backend.ts'
import { sleep, systemClock } from '../../src/clock.ts'
import type { Job } from '../../src/job/job.ts'
import { silentLogger } from '../../src/log.ts'
import type { ConformanceTarget } from '../../src/testing/index.ts'
import { conformanceCases, runCase, VirtualClock } from '../../src/testing/index.ts'

type Open = (options: BackendOptions) => Promise<Backend>

/** What a target opens: a store of its own for each case, and the same once more. */
export interface Stores {
  readonly fresh: Open
  readonly again: Open
  /** A server has to be asked for what time moves. */
  readonly isRemote?: boolean
  /** Its times are the server's: they have to be waited for. */
  readonly isReal?: boolean
  /** Another program publishes to the server of the store that was opened last. */
  readonly publishAsStranger?: (job: Job) => Promise<void>
}

/** A target on a virtual clock of its own, anew at each open. */
function target(
  name: string,
  { fresh, again, isRemote = false, isReal = false, publishAsStranger }: Stores,
): ConformanceTarget {
  let clock = new VirtualClock()
  let backend: Backend | undefined
  const options = (overrides?: Partial<BackendOptions>): BackendOptions => ({
    clock: isReal ? systemClock : clock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 5000,
    ...overrides,
  })
  return {
    name,
    virtual: !isReal,
    open: async (overrides) => {
      clock = new VirtualClock()
      backend = await fresh(options(overrides))
      return backend
    },
    reopen: (overrides) => again(options(overrides)),
    advance: (ms) => {
      if (isReal) return sleep(systemClock, ms)
      return isRemote && ms <= 60_000 ? passSlowly(clock, ms, backend) : clock.advance(ms)
    },
    now: () => (isReal ? systemClock : clock).now(),
    ...(publishAsStranger === undefined ? {} : { publishAsStranger }),
  }
}

/** What time alone moves is moved at its very instant, though a server has to be asked for it. */
async function passSlowly(clock: VirtualClock, ms: number, backend: Backend | undefined): Promise<void> {
  const until = clock.now() + ms
  for (let at = clock.nextAt(); at !== undefined && at <= until; at = clock.nextAt()) {
    await clock.advance(Math.max(0, at - clock.now()))
    await backend?.ledger?.depth(['nothing'])
  }
  await clock.advance(Math.max(0, until - clock.now()))
}

/** The tests of all cases on a backend. */
export function conforms(name: string, stores: Stores): void {
  const on = target(name, stores)
  describe(name, () => {
    for (const each of conformanceCases) {
      test(`${each.group}: ${each.name}`, async (context) => {
        const skipped = await runCase(each, on)
        if (skipped !== undefined) context.skip(skipped.skipped)
      })
    }
  })
}
