import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Outside } from '../../lab/outside.ts'
import { offload, task } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'

export interface PoisonedOptions {
  readonly url: string
  readonly ledger: string
  /** The ledger outside, of which the file is named. */
  readonly outside: string
}

const anything: StandardSchemaV1<unknown, unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** Tasks that note their start and, if they come to it, their end. */
export function tasksOf(outside: Outside) {
  return {
    good: task('poisoned.good', {
      input: anything,
      run: (_, { id, attempt }) => {
        outside.write('S', id, attempt)
        outside.write('E', id, attempt)
      },
    }),
    poison: task('poisoned.poison', {
      input: anything,
      retry: { attempts: 3 },
      run: (_, { id, attempt }) => {
        outside.write('S', id, attempt)
        process.kill(process.pid, 'SIGKILL')
      },
    }),
  }
}

/** A process that works until it is killed: `poisoned.ts '{"url","ledger","outside"}'`. */
if (process.argv[2] !== undefined) {
  const { url, ledger, outside } = JSON.parse(process.argv[2]) as PoisonedOptions
  const tasks = Object.values(tasksOf(new Outside(outside)))
  offload({ url, ledger, tasks, logger: silentLogger }).work({ concurrency: 2, lease: '1s' })
  process.once('disconnect', () => process.exit(0))
}
