// One process measures one way: `measure.mjs '{"url", "way", "jobs", "turns", "folder", "port"}'` sends the CPU of a job, watched and not.
import { offload, task } from 'offload'
import { z } from 'zod'
import { inFlight, workThrough } from '../lib/load.mjs'
import { placeOf } from '../lib/place.mjs'
import { ways } from './watched.mjs'

const given = JSON.parse(process.argv[2])
const { way, jobs, turns } = given
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

/** A queue of its own accepts and runs the jobs; the CPU of the process for one, in microseconds. */
async function turn(name, more) {
  const queue = await open(name, more)
  const begun = process.cpuUsage()
  const ended = workThrough(queue, 100, jobs)
  await inFlight(100, jobs, queue.add)
  await ended
  const { user, system } = process.cpuUsage(begun)
  await queue.close()
  return (user + system) / jobs
}

const watched = ways[way]
// What one job in a hundred comes to is compiled only when many have been there.
const isTraced = way === 'all' || way.startsWith('traces, 1')
for (const more of [{}, isTraced ? ways['traces, each']() : watched(), {}, watched()])
  await turn(`warm${Math.random()}`, more)
const figures = { plain: [], watched: [] }
for (let nth = 0; nth < turns; nth++) {
  const pair = [
    ['plain', {}],
    ['watched', watched()],
  ]
  for (const [name, more] of nth % 2 === 0 ? pair : pair.toReversed())
    figures[name].push(await turn(`${name}${nth}`, more))
}
process.send(figures, () => process.exit())
