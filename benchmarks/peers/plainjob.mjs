import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker } from 'plainjob'

const logger = { error: console.error, warn() {}, info() {}, debug() {} }

/** @type {import('../lib/system.ts').Open} */
export async function open({ path }) {
  const queue = defineQueue({ connection: better(new Database(path)), logger })
  const workers = []
  return {
    add: async (payload) => queue.add('noop', payload),
    addMany: async (payloads) => queue.addMany('noop', payloads),
    /** A worker runs one job at a time: concurrency is so many workers. They poll; 1 ms is the least there is. */
    work(concurrency, { onStart, onDone }) {
      for (let n = 0; n < concurrency; n++) {
        const run = async ({ data }) => onStart(JSON.parse(data))
        const worker = defineWorker('noop', run, { queue, logger, pollIntervall: 1, onCompleted: onDone })
        workers.push(worker)
        void worker.start()
      }
    },
    bytes: async () => statSync(path).size + statSync(`${path}-wal`).size,
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()))
      queue.close()
    },
  }
}
