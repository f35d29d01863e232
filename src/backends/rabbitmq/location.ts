import { toMs } from '../../duration.ts'
import { OffloadError } from '../../job/errors.ts'

/** Where the server is, and what is asked of it. */
export interface Location {
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  readonly vhost: string
  readonly username: string
  readonly password: string
  readonly tls: boolean
  /** All names of queues and exchanges begin with `{prefix}`. */
  readonly prefix: string
  /** Whether missing queues are made; otherwise they are only looked for. */
  readonly declare: boolean
  /** So many jobs at most go into one message. */
  readonly packed: number
  /** Seconds. */
  readonly heartbeat: number
  /** After so long the server takes back a message that is not acknowledged, and closes its channel. */
  readonly ackTimeoutMs: number
}

const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,59}$/
const KNOWN = ['prefix', 'declare', 'packed', 'heartbeat', 'ackTimeout']
const SERVER = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]@#%\s]+))(?::(\d{1,5}))?$/

/** In one message, where packing is asked for without a number. */
const PACKED = 1000
const DEFAULTS = { prefix: 'offload', heartbeat: 10, ackTimeout: '30m' } as const
const LEAST_ACK_TIMEOUT_MS = 1000

/**
 * Reads `amqp://[user:password@]host[:port][,host:port …][/vhost][?options]`, without its scheme. Options: `prefix` (offload),
 * `declare` (true), `packed` (false, true for 1000, or how many jobs go into a message), `heartbeat` (10 seconds), `ackTimeout`
 * (30m, the server's own default). @throws OPTION_INVALID
 */
export function locate(rest: string, tls: boolean): Location {
  const [, credentials, hosts = '', vhost = '', query = ''] =
    /^(?:([^@]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? []
  const options = new URLSearchParams(query)
  for (const name of options.keys())
    if (!KNOWN.includes(name)) throw invalid(`has no option "${name}"; there are ${KNOWN.join(', ')}`)
  const [username, password] = credentialsOf(credentials)
  return {
    servers: (hosts === '' ? 'localhost' : hosts).split(',').map((one) => server(one, tls)),
    vhost: vhost === '' ? '/' : decoded(vhost),
    username,
    password,
    tls,
    prefix: prefixOf(options.get('prefix')),
    declare: flag(options.get('declare'), 'declare', true),
    packed: packedOf(options.get('packed')),
    heartbeat: heartbeatOf(options.get('heartbeat')),
    ackTimeoutMs: ackTimeoutOf(options.get('ackTimeout')),
  }
}

function credentialsOf(text: string | undefined): [string, string] {
  if (text === undefined || text === '') return ['guest', 'guest']
  const at = text.indexOf(':')
  if (at === -1) return [decoded(text), '']
  return [decoded(text.slice(0, at)), decoded(text.slice(at + 1))]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(
      'has a user, password or vhost that is not percent-encoded: write % as %25, @ as %40, / as %2F',
    )
  }
}

function server(text: string, tls: boolean): { host: string; port: number } {
  const [, six, name, port] = SERVER.exec(text.trim()) ?? []
  const host = six ?? name
  const number = port === undefined ? (tls ? 5671 : 5672) : Number(port)
  if (host === undefined || number < 1 || number > 65_535)
    throw invalid('names a server that cannot be read: write host:port, or [address]:port for IPv6')
  return { host, port: number }
}

function prefixOf(text: string | null): string {
  const prefix = text ?? DEFAULTS.prefix
  if (PREFIX.test(prefix) && !`${prefix}.`.startsWith('amq.')) return prefix
  throw invalid(
    'has a prefix that cannot be used: take 1 to 60 letters, digits and . _ : -, beginning with a letter or digit and not with amq.',
  )
}

function packedOf(text: string | null): number {
  if (text === null || text === 'false') return 1
  if (text === 'true' || text === '') return PACKED
  const jobs = count(text, 'packed') ?? 0
  if (jobs < 1 || jobs > PACKED) throw invalid(`packs 1 to ${PACKED} jobs into a message`)
  return jobs
}

/** Without one, nobody is told of a server that went away. */
function heartbeatOf(text: string | null): number {
  const seconds = count(text, 'heartbeat') ?? DEFAULTS.heartbeat
  if (seconds > 0) return seconds
  throw invalid('needs a heartbeat of at least a second')
}

function count(text: string | null, what: string): number | undefined {
  if (text === null) return undefined
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw invalid(`needs a whole number as ${what}`)
}

function ackTimeoutOf(text: string | null): number {
  const ms = toMs(
    (text === null ? DEFAULTS.ackTimeout : /^\d+$/.test(text) ? Number(text) : text) as '30m',
    'ackTimeout in the amqp: url',
  )
  if (ms >= LEAST_ACK_TIMEOUT_MS) return ms
  throw invalid('has an ackTimeout below a second')
}

function flag(text: string | null, what: string, otherwise: boolean): boolean {
  if (text === null) return otherwise
  if (text === 'true' || text === '') return true
  if (text === 'false') return false
  throw invalid(`takes ${what}=true or ${what}=false`)
}

/** The URL itself is not shown: it may hold a password. */
function invalid(what: string): OffloadError {
  return new OffloadError('OPTION_INVALID', `the amqp: url ${what}`)
}
