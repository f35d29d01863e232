import { request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Task } from '../src/index.ts'
import { task } from '../src/index.ts'
import type { ChildOptions } from './child.ts'
import type { Outside } from './outside.ts'
import type { Points } from './points.ts'

/** By -9, by exit(), by taking all memory, by never ending, or by holding the event loop for three leases. */
export type Poison = 'kill' | 'exit' | 'memory' | 'hang' | 'block'

type LabTask = Task<unknown, void>

const anything: StandardSchemaV1<unknown, unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** The job of the lab: notes its start, takes its time, has its effect, notes that. */
export function jobTask(options: ChildOptions, outside: Outside, points: Points): LabTask {
  return task('crash.job', {
    input: anything,
    retry: options.retry ?? { attempts: 20, base: '10ms', max: '20ms' },
    async run(_, { id, attempt }) {
      outside.write('S', id, attempt)
      const count = points.count('run')
      points.pass('run', 'before', count)
      await wait(options.runMs ?? 5)
      if (options.throws === true) throw new Error('the handler throws')
      if (options.sinkPort !== undefined) await callSink(options.sinkPort)
      outside.write('E', id, attempt)
      points.pass('run', 'after', count)
    },
  })
}

/** The service that the job calls. @throws when it does not answer 200 */
function callSink(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', method: 'POST' }, (answer) => {
      answer.resume()
      if (answer.statusCode === 200) resolve()
      else reject(new Error(`the service answered ${answer.statusCode}`))
    })
      .on('error', reject)
      .end()
  })
}

export function poisonTask(options: ChildOptions, outside: Outside, points: Points): LabTask {
  const poisons: Readonly<Record<Poison, () => unknown>> = {
    kill: () => points.die(),
    exit: () => process.exit(7),
    memory() {
      const taken: number[][] = []
      for (;;) taken.push(new Array<number>(1e6).fill(Math.random()))
    },
    hang: () => new Promise(() => {}),
    block() {
      for (const until = performance.now() + 3 * (options.leaseMs ?? 1000); performance.now() < until; );
    },
  }
  return task('crash.poison', {
    input: anything,
    retry: { attempts: 3, base: '10ms', max: '20ms' },
    timeout: '500ms',
    async run(_, { id, attempt }) {
      outside.write('S', id, attempt)
      await poisons[options.poison ?? 'kill']()
    },
  })
}
