import { setTimeout as wait } from 'node:timers/promises'
import type { Weather } from '../../scripts/servers/proxy.ts'
import { Link } from '../../scripts/servers/proxy.ts'
import { howMany, trueNow } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import { Broker } from '../storm.ts'
import type { Finding, Setting } from './fault.ts'
import { again, kept, withMutant } from './fault.ts'

const LEASE_MS = 600
/** Longer than the slowest weather takes for a call. */
const SLOW_LEASE_MS = 5000

/** Every message comes twice, in any order. */
export async function duplicates(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 5000 : 150
  await using server = await Broker.start(setting.random, 'twice')
  await using scene = new Scene()
  const own = { ...withMutant(setting), brokerPort: server.port }
  for (const _ of [1, 2]) scene.start({ ...own, role: 'work', leaseMs: LEASE_MS, concurrency: 8, runMs: 2 })
  await scene.start({ ...own, role: 'produce', jobs, keys: 10, calls: 20 }).ended
  const result = await count(scene, setting.patienceMs)
  return {
    number: '19',
    fault: 'every message twice and in any order',
    injected: 'a message server that delivers each message twice and picks at random (one in ten once more)',
    count: result,
    found: kept(result),
    seen: `${howMany(result.lines, 'S')} runs of ${jobs} jobs of 10 keys; what the ledger knows to be taken was dropped`,
  }
}

/** One worker is cut off from the message server for longer than a lease, then what was sent arrives. */
export async function partition(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const [jobs, leases] = long ? [1500, 6] : [140, 2]
  await using server = await Broker.start(setting.random)
  await using near = await Link.to(server.port, setting.random)
  await using scene = new Scene()
  const own = withMutant(setting)
  const work = { ...own, role: 'work', leaseMs: LEASE_MS, runMs: 100, concurrency: 8, watched: true } as const
  const cutOff = scene.start({ ...work, brokerPort: near.port })
  scene.start({ ...work, brokerPort: server.port })
  scene.start({ ...own, role: 'produce', jobs, brokerPort: server.port, pauseMs: long ? 30 : 50 })
  await scene.sees((lines) => lines.some(({ kind, pid }) => kind === 'D' && pid === cutOff.child.pid))
  const heal = near.partition()
  await wait(LEASE_MS * leases)
  const healed = trueNow()
  heal()
  await scene.sees((lines) => howMany(lines, 'P') >= jobs)
  const result = await count(scene, setting.patienceMs)
  const ofIt = result.lines.filter(({ pid }) => pid === cutOff.child.pid)
  const noticed = ofIt.some(({ kind, id }) => kind === 'H' && id === 'degraded')
  return {
    number: '12',
    fault: 'partition between a worker and the message server, longer than the lease',
    injected: `a proxy that holds every byte for ${LEASE_MS * leases} ms (lease ${LEASE_MS} ms), then delivers them`,
    count: result,
    found: kept(result),
    seen: `the worker ${noticed ? 'said that it was degraded' : 'had no call to fail'}, ended in the ledger what it held, and after the heal was ${again(ofIt, healed, ['C', 'D'])}; ${result.overlaps} overlapping runs`,
  }
}

/** The connection of the only worker goes half open: it is up, and nothing arrives. */
export async function halfOpen(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 400 : 60
  await using server = await Broker.start(setting.random)
  await using proxy = await Link.to(server.port, setting.random)
  await using scene = new Scene()
  const own = withMutant(setting)
  scene.start({ ...own, role: 'work', leaseMs: LEASE_MS, watched: true, brokerPort: proxy.port })
  scene.start({ ...own, role: 'produce', jobs, brokerPort: server.port, pauseMs: 60 })
  await scene.sees((lines) => howMany(lines, 'D') > 0)
  const at = trueNow()
  proxy.deafen(['up', 'down'])
  await scene.sees((lines) => howMany(lines, 'P') >= jobs)
  const result = await count(scene, setting.patienceMs)
  const told = result.lines.find((line) => line.kind === 'H' && line.id === 'degraded' && line.at > at)
  return {
    number: '11',
    fault: 'a half-open connection',
    injected: 'a proxy that lets every byte of the open connection vanish, both ways, and closes nothing',
    count: result,
    found: kept(result),
    seen: `given up ${told === undefined ? 'without a failed call' : `${Math.round(told.at - at)} ms later`} for want of a sign of life, ${again(result.lines, at + 500, ['C', 'D'])} over a new connection`,
  }
}

/** Bad weather, one after the other: what a network does to bytes and connections. */
export async function weather(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  await using server = await Broker.start(setting.random)
  await using proxy = await Link.to(server.port, setting.random)
  await using scene = new Scene()
  const own = { ...withMutant(setting), brokerPort: proxy.port }
  scene.start({ ...own, role: 'work', leaseMs: SLOW_LEASE_MS, concurrency: 8, watched: true })
  const each = long ? 50 : 15
  const seen: string[] = []
  let jobs = 0
  for (const [name, bad] of weathers(long)) {
    if ('ways' in bad) proxy.deafen(bad.ways)
    else proxy.cut()
    proxy.weather = 'ways' in bad ? {} : bad
    jobs += each
    const begun = trueNow()
    await scene.start({ ...own, role: 'produce', jobs, calls: 5 }).ended
    await scene.sees((lines) => howMany(lines, 'D') >= jobs, setting.patienceMs)
    seen.push(`${name} ${Math.round(trueNow() - begun)} ms`)
  }
  proxy.weather = {}
  const result = await count(scene, setting.patienceMs)
  return {
    number: '11',
    fault: 'slow, slicing and cutting networks',
    injected: `a proxy between all processes and the message server, connections cut between: ${each} jobs under each`,
    count: result,
    found: kept(result),
    seen: `until all were done: ${seen.join(', ')}`,
  }
}

type Bad = Weather | { readonly ways: readonly ('up' | 'down')[] }

function weathers(long: boolean): readonly (readonly [name: string, bad: Bad])[] {
  const short = [
    ['pieces of 1 byte', { slice: 1 }],
    ['reset in the middle of a message', { resetAfter: 20_000 }],
    ['100 ± 50 ms late', { latencyMs: 50, jitterMs: 100 }],
  ] as const
  if (!long) return short
  return [
    ...short,
    ['400 ms late', { latencyMs: 400 }],
    ['10 kB/s', { bytesPerSecond: 10_000, slice: 100 }],
    ['nothing from the worker arrives', { ways: ['up'] }],
    ['nothing from the server arrives', { ways: ['down'] }],
  ]
}
