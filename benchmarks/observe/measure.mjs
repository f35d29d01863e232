// One measurement in a process of its own: `measure.mjs '{"url", "way", "jobs", "folder", "port"}'` sends its figure.
import { offload, task } from 'offload'
import { z } from 'zod'
import { inFlight, perSecond, warmUp, workThrough } from '../lib/load.mjs'
import { placeOf } from '../lib/place.mjs'
import { ways } from './watched.mjs'

const given = JSON.parse(process.argv[2])
const { way, jobs } = given
const silent = { debug() {}, info() {}, warn() {}, error: console.error }

async function open(name, more) {
  const { url } = placeOf(given, name)
  const noop = task('noop', { input: z.custom(), run: async (payload) => onStart(payload) })
  let onStart = () => {}
  const queue = offload({ url, tasks: [noop], logger: silent, ...more })
  await queue.ready()
  return {
    add: (payload) => queue.enqueue(noop, payload),
    work(concurrency, hooks) {
      onStart = hooks.onStart
      queue.work({ concurrency }).on('done', hooks.onDone)
    },
    close: () => queue.close(),
  }
}

await warmUp(await open('warm', {}))
const queue = await open('run', ways[way]())
const cpu = process.cpuUsage()
const begun = performance.now()
const ended = workThrough(queue, 100, jobs)
await inFlight(100, jobs, queue.add)
await ended
const ms = performance.now() - begun
const { user, system } = process.cpuUsage(cpu)
process.send({ rate: perSecond(jobs, ms), own: (user + system) / jobs }, () => process.exit())
