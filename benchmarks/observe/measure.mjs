// One process is watched in one way all its life, as one of an application is: `measure.mjs '{"url", "way", "jobs", "folder", "port"}'` runs a turn whenever it
// is told, and sends what a job took.
import { offload, task } from 'offload'
import { z } from 'zod'
import { inFlight, perSecond } from '../lib/load.mjs'
import { placeOf } from '../lib/place.mjs'
import { ways } from './watched.mjs'

const given = JSON.parse(process.argv[2])
const { way, jobs } = given
/** What one job in a hundred comes to is compiled only when many have been there. */
const WARM_UP = 12
const silent = { debug() {}, info() {}, warn() {}, error: console.error }

const noop = task('noop', { input: z.custom(), run: async () => {} })
const queue = offload({ url: placeOf(given, 'turns').url, tasks: [noop], logger: silent, ...ways[way]() })
await queue.ready()
let [left, onEnd] = [0, () => {}]
queue.work({ concurrency: 100 }).on('done', () => {
  if (--left === 0) onEnd()
})

/** Accepts and runs the jobs; answers the CPU of the process for one (µs), and jobs a second. */
async function turn() {
  const [cpu, begun] = [process.cpuUsage(), performance.now()]
  left = jobs
  const ended = new Promise((resolve) => {
    onEnd = resolve
  })
  await inFlight(100, jobs, (payload) => queue.enqueue(noop, payload))
  await ended
  const { user, system } = process.cpuUsage(cpu)
  return { cpu: (user + system) / jobs, rate: perSecond(jobs, performance.now() - begun) }
}

for (let nth = 0; nth < WARM_UP; nth++) await turn()
process.on('message', async () => process.send(await turn()))
process.send('warm')
