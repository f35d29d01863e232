import { OffloadError } from '../../job/errors.ts'

/** How sure an acceptance is before it is answered. */
export interface Durability {
  /** Replicas that must have it (WAIT). */
  readonly replicas: number
  /** Files on disk that must have it, that of the server among them (WAITAOF, Redis 7.2). */
  readonly fsynced: number
}

/** Where the store is. */
export interface Location extends Durability {
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  readonly mode: 'single' | 'cluster' | 'sentinel'
  /** What the sentinels call the master. */
  readonly master: string | undefined
  readonly db: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: boolean
  /** All keys begin with `{prefix}:`. */
  readonly prefix: string
}

const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/
const KNOWN = ['prefix', 'cluster', 'sentinel', 'replicas', 'fsynced']
const SERVER = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/

/**
 * Reads `redis://[user:password@]host[:port][,host:port …][/db][?options]`, without its scheme. Options: `prefix` (offload),
 * `cluster=true`, `sentinel=<name of the master>`, `replicas` and `fsynced` (0). @throws OPTION_INVALID
 */
export function locate(rest: string, tls: boolean): Location {
  const [, credentials, hosts = '', db = '', query = ''] =
    /^(?:([^@]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(rest) ?? []
  const options = new URLSearchParams(query)
  for (const name of options.keys())
    if (!KNOWN.includes(name)) throw invalid(`has no option "${name}"; there are ${KNOWN.join(', ')}`)
  const [username, password] = credentialsOf(credentials)
  const sentinel = options.get('sentinel') ?? undefined
  const isCluster = flag(options.get('cluster'))
  if (isCluster && sentinel !== undefined)
    throw invalid('is either a cluster or watched by sentinels, not both')
  const servers = (hosts === '' ? 'localhost' : hosts)
    .split(',')
    .map((one) => server(one, sentinel !== undefined))
  if (servers.length > 1 && !isCluster && sentinel === undefined)
    throw invalid('names several servers: add ?cluster=true or ?sentinel=<name of the master>')
  if (isCluster && db !== '' && db !== '0') throw invalid('is a cluster, which has database 0 alone')
  const prefix = options.get('prefix') ?? 'offload'
  checkPrefix(prefix)
  return {
    servers,
    mode: isCluster ? 'cluster' : sentinel === undefined ? 'single' : 'sentinel',
    master: sentinel,
    db: count(db, 'database'),
    username,
    password,
    tls,
    prefix,
    replicas: count(options.get('replicas') ?? '', 'replicas'),
    fsynced: count(options.get('fsynced') ?? '', 'fsynced'),
  }
}

/** @throws OPTION_INVALID */
export function checkPrefix(prefix: string): void {
  if (!PREFIX.test(prefix))
    throw new OffloadError(
      'OPTION_INVALID',
      'the prefix of the redis keys cannot be used: take 1 to 100 letters, digits and . _ : -, beginning with a letter or digit',
    )
}

function credentialsOf(text: string | undefined): [string | undefined, string | undefined] {
  if (text === undefined || text === '') return [undefined, undefined]
  const at = text.indexOf(':')
  try {
    if (at === -1) return [undefined, decodeURIComponent(text)]
    const [name, password] = [text.slice(0, at), text.slice(at + 1)].map(decodeURIComponent)
    return [name === '' ? undefined : name, password]
  } catch {
    throw invalid('has a user or password that is not percent-encoded: write % as %25, @ as %40, / as %2F')
  }
}

function server(text: string, isSentinel: boolean): { host: string; port: number } {
  const [, six, name, port] = SERVER.exec(text.trim()) ?? []
  const host = six ?? name
  const number = port === undefined ? (isSentinel ? 26379 : 6379) : Number(port)
  if (host === undefined || number < 1 || number > 65_535)
    throw invalid('names a server that cannot be read: write host:port, or [address]:port for IPv6')
  return { host, port: number }
}

function count(text: string, what: string): number {
  if (text === '') return 0
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw invalid(`needs a whole number as ${what}`)
}

function flag(text: string | null): boolean {
  if (text === null || text === 'false') return false
  if (text === 'true' || text === '') return true
  throw invalid('takes cluster=true or cluster=false')
}

/** The URL itself is not shown: it may hold a password. */
function invalid(what: string): OffloadError {
  return new OffloadError('OPTION_INVALID', `the redis: url ${what}`)
}
