import { setTimeout as wait } from 'node:timers/promises'
import { findRedis, findValkey } from '../../scripts/servers/programs.ts'
import { startSentinel } from '../../scripts/servers/sentinel.ts'
import { RedisServer } from '../../scripts/servers/server.ts'
import { until } from '../../scripts/servers/until.ts'
import { Impossible } from '../faults/fault.ts'
import { Accepting, unknown } from './accepting.ts'
import { TracedServer } from './power.ts'

/** What is done to the server in the middle of its work. */
export type Blow = 'kill -9' | 'power cut' | 'kill -9, slow disk' | 'fail-over'

/** A setting of the server and of the URL, and what it is put through. */
export interface Trial {
  readonly setting: string
  readonly blow: Blow
  readonly settings: readonly string[]
  readonly query?: string
  /** Where the setting is Valkey's alone. */
  readonly isValkey?: true
  /** What is accepted is never lost. */
  readonly isSafe: boolean
}

export interface Counted {
  readonly trial: Trial
  readonly rounds: number
  readonly accepted: number
  readonly lost: number
  /** How long before the blow the earliest of those that were lost had been accepted. */
  readonly oldestMs: number
}

const NONE = ['--save', '', '--appendonly', 'no']
const file = (fsync: string): readonly string[] => [
  '--save',
  '',
  '--appendonly',
  'yes',
  '--appendfsync',
  fsync,
]
/** What a sync takes where the disk is slow. */
export const SLOW_MS = 700
/** A load that ends before a sync was due would lose nothing, or all. */
const [LEAST_MS, MOST_MS] = [1200, 3400]

const fsynced = { query: 'fsynced=1', settings: file('everysec'), isValkey: true } as const

export const trials: readonly Trial[] = [
  { setting: 'appendonly no', blow: 'kill -9', settings: NONE, isSafe: false },
  { setting: 'appendfsync everysec', blow: 'kill -9', settings: file('everysec'), isSafe: false },
  { setting: 'appendfsync everysec', blow: 'kill -9, slow disk', settings: file('everysec'), isSafe: false },
  { setting: 'appendfsync everysec', blow: 'power cut', settings: file('everysec'), isSafe: false },
  { setting: 'appendfsync always', blow: 'kill -9', settings: file('always'), isSafe: true },
  { setting: 'appendfsync always', blow: 'power cut', settings: file('always'), isSafe: true },
  { setting: 'appendfsync everysec, ?fsynced=1', blow: 'kill -9', ...fsynced, isSafe: true },
  { setting: 'appendfsync everysec, ?fsynced=1', blow: 'kill -9, slow disk', ...fsynced, isSafe: true },
  // Not safe: where nothing waits to be written, the server takes what it has written for synced (flushAppendOnlyFile).
  { setting: 'appendfsync everysec, ?fsynced=1', blow: 'power cut', ...fsynced, isSafe: false },
  { setting: 'appendonly no', blow: 'fail-over', settings: NONE, isSafe: false },
  {
    setting: 'appendonly no, ?replicas=1',
    blow: 'fail-over',
    settings: NONE,
    query: 'replicas=1',
    isSafe: true,
  },
]

/** @throws Impossible where a server or a tracer is missing */
export async function count(trial: Trial, rounds: number, random: () => number): Promise<Counted> {
  const all: Blown[] = []
  if (trial.blow === 'fail-over') all.push(...(await failOvers(trial, rounds, random)))
  else for (let round = 0; round < rounds; round++) all.push(await strike(trial, random))
  return {
    trial,
    rounds,
    accepted: all.reduce((sum, one) => sum + one.accepted, 0),
    lost: all.reduce((sum, one) => sum + one.lost, 0),
    oldestMs: Math.round(Math.max(0, ...all.map((one) => one.oldestMs))),
  }
}

type Blown = Pick<Counted, 'accepted' | 'lost' | 'oldestMs'>

async function strike(trial: Trial, random: () => number): Promise<Blown> {
  const program = trial.isValkey === true ? findValkey() : findRedis()
  if (program === undefined) throw new Impossible(`no ${trial.isValkey ? 'valkey' : 'redis'}-server here`)
  if (trial.blow === 'kill -9') {
    await using server = await RedisServer.start({ program, settings: trial.settings })
    return await struck(trial, random, server, () => server.kill())
  }
  const isSlow = trial.blow === 'kill -9, slow disk'
  await using traced = await TracedServer.start(program, trial.settings, isSlow ? SLOW_MS : 0)
  const { server } = traced
  return await struck(trial, random, server, () => (isSlow ? server.kill() : traced.cutPower()))
}

async function struck(
  trial: Trial,
  random: () => number,
  server: RedisServer,
  blow: () => Promise<void>,
): Promise<Blown> {
  const { accepting, at } = await loaded(`${server.url}?${trial.query ?? ''}`, 'job', random, blow)
  await using _ = accepting
  await server.restart()
  await accepting.rest()
  return await compared(accepting, at, server.url)
}

async function failOvers(trial: Trial, rounds: number, random: () => number): Promise<Blown[]> {
  await using group = await startSentinel(trial.settings)
  if (group === undefined) throw new Impossible('no redis-server here')
  const all: Blown[] = []
  const hosts = group.sentinels.map((port) => `127.0.0.1:${port}`).join(',')
  const url = `redis://${hosts}?sentinel=${group.name}`
  for (let round = 0; round < rounds; round++) {
    let old = await group.master()
    const kill = async (): Promise<void> => {
      old = await group.killMaster()
    }
    const query = trial.query === undefined ? '' : `&${trial.query}`
    const { accepting, at } = await loaded(`${url}${query}`, `round-${round}`, random, kill)
    await using _ = accepting
    await group.failedOver(old)
    await accepting.rest()
    await old.restart()
    await group.settled()
    all.push(await compared(accepting, at, url))
  }
  return all
}

/** Under load for a while, then comes the blow, at an instant that nobody chose. */
async function loaded(
  url: string,
  name: string,
  random: () => number,
  blow: () => Promise<void>,
): Promise<{ accepting: Accepting; at: number }> {
  const accepting = new Accepting(url, name)
  await until('a job that is accepted', async () => accepting.accepted.size > 0)
  await wait(LEAST_MS + random() * (MOST_MS - LEAST_MS))
  const at = performance.now()
  await blow()
  return { accepting, at }
}

async function compared({ accepted }: Accepting, at: number, url: string): Promise<Blown> {
  const lost = await unknown(url, accepted.keys())
  const oldest = lost.reduce((least, id) => Math.min(least, accepted.get(id) ?? at), at)
  return { accepted: accepted.size, lost: lost.length, oldestMs: at - oldest }
}
