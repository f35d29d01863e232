// One measurement in a process of its own: `measure.mjs '{"module", "scenario", "jobs", "folder", "url", "port"}'` sends its figure.
import { fork } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { addMany, inFlight, now, perSecond, spread, warmUp, workThrough } from './load.mjs'
import { payload } from './payload.mjs'
import { placeOf } from './place.mjs'

const given = JSON.parse(process.argv[2])
const { module, scenario, jobs, role, name } = given

const { open } = await import(`../${module}`)
const place = (queue) => placeOf(given, queue)

/** Works through `n` jobs in `processes` processes of their own. */
function workElsewhere(processes, concurrency, n) {
  const child = () =>
    fork(process.argv[1], [JSON.stringify({ ...given, role: 'work', jobs: concurrency, name: 'run' })])
  const children = Array.from({ length: processes }, child)
  const ready = Promise.all(children.map((one) => new Promise((resolve) => one.once('message', resolve))))
  const waits = []
  const ended = ready.then(
    () =>
      new Promise((resolve) => {
        let [first, last, done] = [Number.POSITIVE_INFINITY, 0, 0]
        for (const one of children) {
          one.on('message', (part) => {
            first = Math.min(first, part.first)
            last = Math.max(last, part.last)
            done += part.done
            waits.push(...part.waits)
            if (done >= n) resolve({ first, last })
          })
          one.send('go')
        }
      }),
  )
  return { ready, ended, waits, stop: () => children.forEach((one) => void one.kill('SIGKILL')) }
}

/** A worker process: tells what it did, a few times in a hundred milliseconds. */
async function work() {
  const queue = await open(place(name))
  let part = { done: 0, waits: [] }
  process.once('message', () => {
    queue.work(jobs, {
      onStart({ at }) {
        part.first ??= now()
        part.waits.push({ at, started: now() })
      },
      onDone() {
        part.done++
        part.last = now()
      },
    })
  })
  process.send('ready')
  process.once('disconnect', () => process.exit())
  for (;;) {
    await wait(20)
    if (part.done === 0) continue
    process.send(part)
    part = { done: 0, waits: [], first: part.first }
  }
}

/** Adds what a job took of the server's time and of this process's, in microseconds, where there is a server. */
async function metered(queue, n, run) {
  const before = await queue.serverCpu?.()
  const begun = process.cpuUsage()
  const figure = await run()
  const { user, system: kernel } = process.cpuUsage(begun)
  if (before === undefined) return figure
  return { ...figure, server: ((await queue.serverCpu()) - before) / n, own: (user + kernel) / n }
}

function timed(queue, n, run) {
  return metered(queue, n, async () => {
    const begun = performance.now()
    await run()
    return { rate: perSecond(n, performance.now() - begun) }
  })
}

async function drain(queue, concurrency, n) {
  await addMany(queue, n)
  await queue.published?.()
  return metered(queue, n, async () => {
    const { first, last } = await workThrough(queue, concurrency, n)
    return { rate: perSecond(n, last - first) }
  })
}

/** 50 calls a second, at any instant as requests come: not just when the timers of this process fire. */
async function paced(add, onAccepted = () => {}) {
  for (let n = 0; n < jobs; n++) {
    await wait(18)
    for (const until = now() + 1 + 2 * Math.random(); now() < until; ) await new Promise(setImmediate)
    const one = payload()
    void add(one).then(() => onAccepted(one.at, now()))
  }
}

/** The pace from one process to another; `from` tells since when a start counts. */
async function elsewhere(queue, from) {
  const accepted = new Map()
  const workers = workElsewhere(1, 10, jobs)
  await workers.ready
  await wait(500)
  await paced(queue.add, (at, when) => accepted.set(at, when))
  await workers.ended
  workers.stop()
  return spread(workers.waits.map(({ at, started }) => started - from(at, accepted.get(at))))
}

const scenarios = {
  async a(queue) {
    const waits = []
    const add = async (one) => {
      const begun = performance.now()
      await queue.add(one)
      waits.push(performance.now() - begun)
    }
    const figure = await timed(queue, jobs, () => inFlight(1, jobs, add))
    return { ...figure, ...spread(waits) }
  },
  b: (queue) => timed(queue, jobs, () => inFlight(100, jobs, queue.add)),
  c: (queue) => timed(queue, jobs, () => addMany(queue, jobs)),
  d1: (queue) => drain(queue, 1, jobs),
  d10: (queue) => drain(queue, 10, jobs),
  d100: (queue) => drain(queue, 100, jobs),
  async d2p(queue) {
    await addMany(queue, jobs)
    await queue.published?.()
    const workers = workElsewhere(2, 100, jobs)
    const { first, last } = await workers.ended
    workers.stop()
    return { rate: perSecond(jobs, last - first) }
  },
  async e(queue) {
    const waits = []
    const ended = workThrough(queue, 10, jobs, ({ at }) => waits.push(now() - at))
    await wait(200)
    await paced(queue.add)
    await ended
    return spread(waits)
  },
  e2: (queue) => elsewhere(queue, (at) => at),
  w: (queue) => elsewhere(queue, (_, accepted) => accepted),
  async i(queue) {
    queue.work(10, { onStart() {}, onDone() {} })
    await wait(1000)
    const [before, begun] = [process.cpuUsage(), performance.now()]
    await wait(5000)
    const { user, system: kernel } = process.cpuUsage(before)
    return { cpu: (user + kernel) / 10 / (performance.now() - begun) }
  },
  f: (queue) =>
    timed(queue, jobs, async () => {
      const ended = workThrough(queue, 100, jobs)
      await inFlight(100, jobs, queue.add)
      await ended
    }),
  async f2(queue) {
    const workers = workElsewhere(1, 100, jobs)
    await workers.ready
    const begun = now()
    await inFlight(100, jobs, queue.add)
    const { last } = await workers.ended
    workers.stop()
    return { rate: perSecond(jobs, last - begun) }
  },
  async g(queue) {
    const before = await queue.bytes()
    await addMany(queue, jobs)
    return { bytes: Math.round(((await queue.bytes()) - before) / jobs) }
  },
}

if (role === 'work') await work()
await warmUp(await open(place('warm')))
const queue = await open(place('run'))
const figure = await scenarios[scenario](queue)
process.send(figure, () => process.exit())
