import type { Backend, BackendOptions } from '../backend.ts'
import type { Features } from '../broker.ts'
import { CapabilityError, OffloadError } from '../job/errors.ts'
import type { Ledger } from '../ledger.ts'

type Open = (location: string, options: BackendOptions) => Promise<Backend>

/** What opens each scheme; nothing is loaded before it is named. */
const backends: Readonly<Record<string, Open>> = {
  memory: async (_, options) => (await import('./memory/index.ts')).openMemory(options),
  sqlite: async (path, options) => (await import('./sqlite/index.ts')).openSqlite(path, options),
  redis: async (rest, options) => (await import('./redis/index.ts')).openRedis(rest, false, options),
  rediss: async (rest, options) => (await import('./redis/index.ts')).openRedis(rest, true, options),
  amqp: async (rest, options) => (await import('./rabbitmq/index.ts')).openRabbit(rest, false, options),
  amqps: async (rest, options) => (await import('./rabbitmq/index.ts')).openRabbit(rest, true, options),
}

/** A message broker that moves jobs and remembers nothing, for programs that bring their own. */
export interface MessageBroker {
  open(options: BackendOptions): Promise<Backend>
}

/** Opens what a URL names, joined with the ledger where one is named. @throws URL_UNKNOWN, LEDGER_REQUIRED, CAPABILITY_MISSING */
export async function openBackend(
  url: string | MessageBroker,
  ledger: string | undefined,
  options: BackendOptions,
): Promise<Backend> {
  const own = { ...options, alone: ledger === 'none' }
  const backend = typeof url === 'string' ? await openUrl(url, own) : await url.open(own)
  if (backend.ledger !== undefined) {
    if (ledger === undefined) return backend
    await backend.close()
    throw new CapabilityError(
      'OPTION_INVALID',
      `${backend.broker.name} remembers jobs by itself: leave out ledger: "${schemeOf(ledger)}…"`,
    )
  }
  if (ledger === undefined) {
    await backend.close()
    throw new OffloadError(
      'LEDGER_REQUIRED',
      `${backend.broker.name} only moves jobs: name where they are remembered, ledger: 'sqlite:jobs.db', or choose ledger: 'none' and give up status, results, cancel, dedup and long delays`,
    )
  }
  if (ledger === 'none') {
    const { name, features } = backend.broker
    options.logger.warn({ broker: name }, `ledger: 'none' gives up ${lossesOf(features)}`)
    return backend
  }
  const kept = await ledgerOf(ledger, options).catch(async (error: unknown) => {
    await backend.close()
    throw error
  })
  const { joined } = await import('./joined.ts')
  return joined(backend.broker, kept.ledger, options, kept.documents)
}

async function ledgerOf(
  url: string,
  options: BackendOptions,
): Promise<Backend & { readonly ledger: Ledger }> {
  const backend = await openUrl(url, options)
  const { ledger } = backend
  if (ledger !== undefined) return { ...backend, ledger }
  await backend.close()
  throw new CapabilityError('CAPABILITY_MISSING', `ledger: "${schemeOf(url)}…" cannot be a ledger`)
}

/** Of a URL, what may be shown: the rest can hold a password. */
const schemeOf = (url: string): string => /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? ''

/** What nothing makes up for where no ledger is. */
function lossesOf({ dedupMs, ordered, priorities, delayMs }: Features): string {
  return [
    'status, results, progress, cancel, redrive, schedules and idempotency keys',
    ...(dedupMs === Number.POSITIVE_INFINITY ? [] : ['dedup by id']),
    ...(ordered ? [] : ['order by key']),
    ...(priorities > 1 ? [] : ['priority']),
    ...(delayMs === Number.POSITIVE_INFINITY ? [] : ['long delays']),
  ].join(', ')
}

function openUrl(url: string, options: BackendOptions): Promise<Backend> {
  const [, scheme, location] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url) ?? []
  const open =
    scheme === undefined ? undefined : Object.hasOwn(backends, scheme) ? backends[scheme] : undefined
  if (open !== undefined) return open((location ?? '').replace(/^\/\/(?=.)/, ''), options)
  const known = Object.keys(backends).map((name) => `${name}:`)
  throw new OffloadError(
    'URL_UNKNOWN',
    `no backend opens ${scheme === undefined ? 'that url' : `"${scheme}:"`}: this release knows ${known.join(', ')}`,
  )
}
