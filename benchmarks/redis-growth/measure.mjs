// One step of a measurement in a process of its own: `measure.mjs '{"step", "jobs", "module", "url", "port"}'` sends its figures.
import { setTimeout as wait } from 'node:timers/promises'
import { addMany, inFlight, perSecond, spread, warmUp, workThrough } from '../lib/load.mjs'
import { payload } from '../lib/payload.mjs'
import { placeOf } from '../lib/place.mjs'
import { clear, keysOf, usedBytes } from '../lib/redis.ts'

const SETTLED_MS = 12_000
const LONGEST_MS = 120_000
const given = JSON.parse(process.argv[2])
const { step, jobs, module, port } = given
const { open } = await import(`../${module}`)
const opened = (name) => open(placeOf({ ...given, folder: '' }, name))
/** 1 to 9 is a scale of both BullMQ and Offload. */
const priorityOf = (index) => 1 + (index % 9)

const steps = {
  async seed() {
    await addMany(await opened('run'), jobs, given.prioritised ? priorityOf : undefined)
    return {}
  },
  async accept() {
    await warmUp(await opened('warm'))
    const queue = await opened('run')
    const begun = performance.now()
    await inFlight(100, jobs, queue.add)
    return { rate: perSecond(jobs, performance.now() - begun) }
  },
  async run() {
    await warmUp(await opened('warm'))
    const { first, last } = await workThrough(await opened('run'), 100, jobs)
    return { rate: perSecond(jobs, last - first) }
  },
  /** One call after the other. */
  async prioritised() {
    await warmUp(await opened('warm'))
    const queue = await opened('run')
    const times = []
    for (let n = 0; n < jobs; n++) {
      const begun = performance.now()
      await queue.add(payload(), priorityOf(n))
      times.push(performance.now() - begun)
    }
    return spread(times)
  },
  /** From an empty server to one whose jobs have all ended and are past their retention. */
  async whole() {
    await warmUp(await opened('warm'))
    await clear(port)
    const empty = await usedBytes(port)
    const queue = await opened('run')
    await addMany(queue, jobs)
    const waiting = ((await usedBytes(port)) - empty) / jobs
    await workThrough(queue, 100, jobs)
    const { seconds, keys } = await settled()
    const after = await usedBytes(port)
    await clear(port)
    const left = after - (await usedBytes(port))
    return { waiting, seconds, left, keys: keys.count, some: keys.some }
  },
}

/** What is there when nothing has changed for a while, and how long it took. */
async function settled() {
  const look = async () => ({ bytes: await usedBytes(port), keys: await keysOf(port) })
  const begun = performance.now()
  let last = await look()
  let since = begun
  while (performance.now() - since < SETTLED_MS && performance.now() - begun < LONGEST_MS) {
    await wait(500)
    const next = await look()
    const hasChanged = next.keys.count !== last.keys.count || Math.abs(next.bytes - last.bytes) > 1000
    if (hasChanged) [last, since] = [next, performance.now()]
  }
  return { ...last, seconds: (since - begun) / 1000 }
}

const figures = await steps[step]()
process.send(figures, () => process.exit())
