// One process is watched in one way all its life, as one of an application is: `measure.mjs '{"url", "way", "jobs", "folder", "port"}'` runs a turn whenever it
// is told, and sends what a job took.
import { offload, task } from 'offload'
import { z } from 'zod'
import { inFlight, perSecond, workThrough } from '../lib/load.mjs'
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

/** A queue of its own accepts and runs the jobs; answers the CPU of the process for one (µs), and jobs a second. */
async function turn(name, more) {
  const queue = await open(name, more)
  const [cpu, begun] = [process.cpuUsage(), performance.now()]
  const ended = workThrough(queue, 100, jobs)
  await inFlight(100, jobs, queue.add)
  await ended
  const [{ user, system }, ms] = [process.cpuUsage(cpu), performance.now() - begun]
  await queue.close()
  return { cpu: (user + system) / jobs, rate: perSecond(jobs, ms) }
}

const watched = ways[way]
for (let nth = 0; nth < 3; nth++) await turn(`warm${nth}`, watched())
// What one job in a hundred comes to is compiled only when many have been there.
if (way === 'all' || way.startsWith('traces, 1')) await turn('traced', ways['traces, each']())
await turn('again', watched())
let nth = 0
process.on('message', async () => process.send(await turn(`turn${nth++}`, watched())))
process.send('warm')
