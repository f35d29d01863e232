import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startRabbit } from '../../scripts/servers/rabbitmq.ts'
import { startRedis } from '../../scripts/servers/redis.ts'
import { machine } from '../lib/figures.ts'
import { installPeers, versions } from '../lib/peers.ts'
import { clear } from '../lib/rabbitmq.ts'
import { clear as clearRedis } from '../lib/redis.ts'
import type { Beside, BesideSum } from '../lib/report.ts'
import { figureTable, goalTable } from '../lib/report.ts'
import type { Figures, Plan, Row, Scenario } from '../lib/runner.ts'
import { chosen, REPEATS, refuseUnknown, runAll, SCALE } from '../lib/runner.ts'

// `npm run bench -- rabbitmq [scenarios and systems]`: Offload on RabbitMQ, alone and beside a ledger, and its peers, on the same server.
const jobs: Partial<Record<Scenario, number>> = {
  a: 1000,
  b: 20_000,
  c: 30_000,
  d1: 60_000,
  d100: 80_000,
  e: 150,
  f: 20_000,
}

const url = 'amqp://127.0.0.1:{port}?prefix={name}'
const packed = `${url}&packed=true`
const sqlite = 'sqlite:{path}'
const installed = installPeers()
if (!installed) console.log('the peers could not be installed: they are left out')

const rabbit = await startRabbit()
if (rabbit === undefined) throw new Error('no rabbitmq-server here, and none could be installed')
const redis = await startRedis()
if (redis === undefined) console.log('no redis-server here, and none could be installed: it is left out')
const onRedis = `redis://127.0.0.1:${redis?.port}?prefix={name}`
const { port, pid } = rabbit

const offload = { module: 'lib/offload.mjs', port, pid }
const systems: Readonly<Record<string, Row>> = {
  offload: { ...offload, url, settings: { ledger: 'none' }, what: 'quorum queue' },
  'offload packed': {
    ...offload,
    url: packed,
    settings: { ledger: 'none' },
    what: 'quorum queue, up to 1,000 jobs a message',
  },
  'offload sqlite': {
    ...offload,
    url,
    settings: { ledger: sqlite },
    what: 'quorum queue; ledger SQLite, accept fsynced',
  },
  'offload packed sqlite': {
    ...offload,
    url: packed,
    settings: { ledger: sqlite },
    what: 'the same, up to 1,000 jobs a message',
  },
  ...(redis === undefined
    ? {}
    : {
        'offload redis': {
          ...offload,
          url,
          settings: { ledger: onRedis },
          what: 'quorum queue; ledger Redis, nothing on disk',
        },
        'offload packed redis': {
          ...offload,
          url: packed,
          settings: { ledger: onRedis },
          what: 'the same, up to 1,000 jobs a message',
        },
        'redis alone': {
          module: 'lib/offload.mjs',
          url: onRedis,
          port: redis.port,
          what: 'Offload without RabbitMQ',
          only: ['a'],
        },
      }),
  'sqlite alone': { module: 'lib/offload.mjs', url: sqlite, what: 'Offload without RabbitMQ', only: ['a'] },
  ...(installed ? peersOn({ port, pid }) : {}),
  raw: { module: 'rabbitmq/raw.mjs', port, pid, what: 'amqplib and one quorum queue alone' },
}

const quorum = ['amqplib', 'rabbitmq-client']
const classic = quorum.map((name) => `${name} classic`)
const besidePeers: readonly Omit<Beside, 'peers'>[] = [
  { scenario: 'b', least: 1.9 },
  { scenario: 'd100', least: 4.8 },
  { scenario: 'f', least: 1.4 },
  { scenario: 'b', least: 6, system: 'offload packed' },
  { scenario: 'c', least: 12, system: 'offload packed' },
  { scenario: 'f', least: 3.8, system: 'offload packed' },
]
const besideItself: readonly (Beside | BesideSum)[] = [
  { scenario: 'f', system: 'offload sqlite', peers: ['offload'], least: 0.8 },
  { scenario: 'f', system: 'offload redis', peers: ['offload'], least: 0.8 },
  { scenario: 'f', system: 'offload packed sqlite', peers: ['offload packed'], least: 0.8 },
  { scenario: 'f', system: 'offload packed redis', peers: ['offload packed'], least: 0.8 },
  { scenario: 'a', figure: 'p50', system: 'offload sqlite', sumOf: ['offload', 'sqlite alone'] },
  { scenario: 'a', figure: 'p50', system: 'offload redis', sumOf: ['offload', 'redis alone'] },
]

const asked = process.argv.slice(3)
refuseUnknown(asked, systems, jobs)
const plan: Plan = {
  systems: chosen(systems, asked),
  jobs: chosen(jobs, asked),
  hasServer: true,
  clear: async () => {
    await clear(port)
    if (redis !== undefined) await clearRedis(redis.port)
  },
}
const version = await rabbit.ctl('version')
const figures = await runAll(plan).finally(() => Promise.all([rabbit.stop(), redis?.stop()]))
report(figures)

/** Every peer on a quorum queue, as Offload, and on a classic one. */
function peersOn(server: Pick<Row, 'port' | 'pid'>): Record<string, Row> {
  const row = (name: string, isQuorum: boolean): Row => ({
    ...server,
    module: `peers/${name}.mjs`,
    settings: { quorum: isQuorum },
    what: isQuorum ? 'quorum queue' : 'classic queue, durable',
  })
  return Object.fromEntries(
    ['amqplib', 'rabbitmq-client'].flatMap((name) => [
      [name, row(name, true)],
      [`${name} classic`, row(name, false)],
    ]),
  )
}

function report(figures: Figures): void {
  const against = (peers: readonly string[]): string =>
    goalTable(
      besidePeers.map((goal) => ({ ...goal, peers })),
      figures,
    )
  const text = `# RabbitMQ beside its peers

${machine()} ${versions(['amqplib', 'rabbitmq-client'])}, RabbitMQ ${version}.
${REPEATS} repetitions in alternation, each in a fresh process after a warm-up of 5,000 jobs, on one server whose queues are deleted in between; payload about 165 bytes; handlers do nothing. Everywhere durable queues, persistent and mandatory messages, and a confirm awaited by each call. Server CPU is what the process of RabbitMQ computed, a ledger's not counted. Made by \`npm run bench -- rabbitmq\`; the absolute figures are this machine's, read the ratios.

\`offload\` is \`ledger: 'none'\`. Beside a ledger a, b and c are what the ledger took: messages are published behind; d begins when they are.

${figureTable(plan, figures)}

## Goals, beside the better peer on a quorum queue

${against(quorum)}

## The same, beside the better peer on a classic queue

${against(classic)}

## A ledger beside none

${goalTable(besideItself, figures)}
`
  console.log(text)
  if (asked.length > 0 || SCALE !== 1) return
  const results = join(import.meta.dirname, '../results')
  writeFileSync(join(results, 'rabbitmq.md'), text)
  writeFileSync(join(results, 'rabbitmq.json'), `${JSON.stringify(figures, null, 1)}\n`)
}
