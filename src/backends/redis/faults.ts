import { BackendError, OffloadError } from '../../job/errors.ts'

/** What an error of the server or of its connection means for the call that met it. */
export type Fault =
  /** Nothing was done, and it is worth trying again soon. */
  | 'refused'
  /** There was no connection to send it on. */
  | 'unsent'
  /** The connection went: the call may have been carried out. */
  | 'lost'
  /** The server has not got the script. */
  | 'noScript'
  /** Trying again changes nothing. */
  | 'final'

const REFUSED =
  /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|NOREPLICAS|BUSY |FAILOVER|UNAVAILABLE)/
const FINAL = /^(?:ERR|OOM|MISCONF|WRONGTYPE|NOPERM|NOAUTH|WRONGPASS|DENIED|EXECABORT|CROSSSLOT|NOPROTO)/

/** What failed when there is no connection. */
export const CONNECT = 'cannot be reached'

export function faultOf(error: unknown): Fault {
  if (error instanceof OffloadError) return 'final'
  const { message } = error as Error
  if (message.startsWith('NOSCRIPT')) return 'noScript'
  if (REFUSED.test(message)) return 'refused'
  if (message.startsWith('Stream isn')) return 'unsent'
  if (FINAL.test(message)) return 'final'
  return 'lost'
}

/** The coded error that says what to do. @param error of the server, or of the last try to connect @param base of all keys */
export function coded(error: unknown, what: string, base: string): OffloadError {
  if (error instanceof OffloadError) return error
  const { message, code } = (error ?? {}) as { message?: string; code?: string }
  // What ioredis says of a call whose connection went.
  const text = message?.startsWith('Reached the max retries')
    ? 'the connection was lost'
    : (message ?? String(error))
  const unavailable = (todo: string): BackendError =>
    new BackendError(
      'BACKEND_UNAVAILABLE',
      `redis ${what}: ${text.replaceAll(/\s+/g, ' ').slice(0, 200)}; ${todo}`,
      {
        cause: error,
        retryAfterMs: 1000,
      },
    )
  if (text.startsWith('OOM')) {
    return new BackendError(
      'BACKEND_FULL',
      `redis ${what}: the server is at its maxmemory and takes no more jobs; let workers finish what waits, or raise maxmemory`,
      { cause: error, retryAfterMs: 1000 },
    )
  }
  if (text.startsWith('READONLY'))
    return new BackendError(
      'BACKEND_READ_ONLY',
      `redis ${what}: this server is a replica; name the master, or the sentinels with ?sentinel=<name>`,
      { cause: error, retryAfterMs: 1000 },
    )
  if (text.startsWith('MOVED'))
    return unavailable(
      'another node of a cluster has the keys: add ?cluster=true to the url if it is not there',
    )
  if (text.includes('cluster support disabled'))
    return unavailable('this server is not a node of a cluster: leave ?cluster=true out of the url')
  if (text.startsWith('MISCONF'))
    return new BackendError(
      'BACKEND_READ_ONLY',
      `redis ${what}: the server cannot write to its disk and refuses all writes; look at its log, and at the space on its disk`,
      { cause: error, retryAfterMs: 1000 },
    )
  if (/^(?:NOAUTH|WRONGPASS|ERR invalid password|ERR AUTH)/.test(text))
    return unavailable('check the user and password in the url: redis://user:password@host')
  if (text.startsWith('WRONGTYPE'))
    return new BackendError(
      'BACKEND_CORRUPT',
      `redis ${what}: keys with this prefix belong to something else; choose another ?prefix=`,
      { cause: error },
    )
  if (/^NOPERM|^ERR The user executing the script/.test(text))
    return unavailable(
      `the user of the url may not do this: grant it ~${base}* &${base}* +@read +@write +@scripting +@pubsub +@connection +@transaction +info +time (on a cluster also +cluster)`,
    )
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return unavailable('check the host in the url')
  if (code === 'ECONNREFUSED') return unavailable('check that the server runs, and its port')
  if (/certificate|SSL|TLS|tls/.test(text) || code?.startsWith('ERR_TLS') || code?.startsWith('ERR_SSL'))
    return unavailable(
      'rediss: needs a server with TLS and a certificate that Node trusts (NODE_EXTRA_CA_CERTS names your own)',
    )
  if (what === CONNECT)
    return unavailable(
      'check that a redis server is at the host and port of the url, which is redis: for a plain port and rediss: for one with TLS; this process goes on trying',
    )
  return unavailable('nothing was lost that was accepted; this process goes on trying to connect')
}
