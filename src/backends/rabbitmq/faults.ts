import { BackendError, OffloadError } from '../../job/errors.ts'
import type { QueueShape } from './names.ts'

/** Reply codes of AMQP 0-9-1 that end a channel, and not its connection. */
export const ACCESS_REFUSED = 403
export const NOT_FOUND = 404
export const RESOURCE_LOCKED = 405
export const PRECONDITION_FAILED = 406

/** What failed when there is no connection. */
export const CONNECT = 'cannot be reached'
/** What failed when there is one. */
export const PUBLISH = 'cannot be published to'

/** The coded error that says what to do. @param error of the server, of its connection, or of the last try to connect */
export function coded(error: unknown, what: string): OffloadError {
  if (error instanceof OffloadError) return error
  const { message, code } = (error ?? {}) as { message?: string; code?: string | number }
  const text = (message ?? String(error)).replaceAll(/\s+/g, ' ').slice(0, 300)
  const unavailable = (todo: string): BackendError =>
    new BackendError('BACKEND_UNAVAILABLE', `rabbitmq ${what}: ${text}; ${todo}`, {
      cause: error,
      retryAfterMs: 1000,
    })
  if (/ACCESS_REFUSED - Login|ACCESS-REFUSED/.test(text) && what === CONNECT)
    return unavailable('check the user and password in the url: amqp://user:password@host')
  // The library does not tell why a server closes instead of opening; it does for nothing else.
  if (/NOT_ALLOWED|access to vhost|vhost .* not found|Expected ConnectionOpenOk/.test(text))
    return unavailable(
      'check the vhost, which is the path of the url (/ is %2F), and that the user may use it: rabbitmqctl set_permissions',
    )
  if (text.includes('ACCESS_REFUSED'))
    return unavailable(
      'the user of the url lacks a permission: configure, write and read on names that begin with the prefix, or declare=false where operations own the queues',
    )
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return unavailable('check the host in the url')
  if (code === 'ECONNREFUSED') return unavailable('check that the server runs, and its port')
  if (
    /certificate|SSL|TLS|tls/.test(text) ||
    String(code).startsWith('ERR_TLS') ||
    String(code).startsWith('ERR_SSL')
  )
    return unavailable(
      'amqps: needs a server with TLS and a certificate that Node trusts (NODE_EXTRA_CA_CERTS names your own)',
    )
  if (what === CONNECT)
    return unavailable(
      'check that RabbitMQ is at the host and port of the url, which is amqp: for a plain port and amqps: for one with TLS; this process goes on trying',
    )
  return unavailable('nothing was lost that was accepted; this process goes on trying to connect')
}

/** Whether the server says it of one queue, and all others are as they were. */
export function isOfQueue(error: unknown): error is OffloadError {
  if (!(error instanceof OffloadError)) return false
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return [ACCESS_REFUSED, NOT_FOUND, RESOURCE_LOCKED, PRECONDITION_FAILED].includes(code as number)
}

/** The server knows the name with other arguments (406). It tells one that differs; ours are told whole. */
export function mismatch(shape: QueueShape, error: Error): OffloadError {
  const [, argument, received, current] =
    /inequivalent arg '([^']+)'.*?received (.*?) but current is (.*?)(?:"|$)/.exec(error.message) ?? []
  const theirs =
    argument === undefined
      ? error.message.slice(0, 300)
      : `${argument} = ${plain(current)}, not ${plain(received)}`
  return new BackendError(
    'BACKEND_CORRUPT',
    `rabbitmq: queue "${shape.name}" is there with other arguments. The server has ${theirs}. Offload needs ${table(shape)}. See rabbitmqctl list_queues name arguments; empty and delete that queue, or choose another ?prefix=`,
    { cause: error },
  )
}

/** With `declare=false` nothing is made: what is missing is named as it has to be made. */
export function missing(shape: QueueShape, error: Error): OffloadError {
  return new BackendError(
    'BACKEND_UNAVAILABLE',
    `rabbitmq: queue "${shape.name}" is missing and declare=false: make it, durable, with ${table(shape)}, and its bindings as docs/backends/rabbitmq.md draws them`,
    { cause: error, retryAfterMs: 5000 },
  )
}

function table({ arguments: own }: QueueShape): string {
  return Object.entries({ durable: true, ...own })
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')
}

/** As the server writes a value: `the value 'quorum' of type 'longstr'`. */
function plain(text = ''): string {
  return /the value '?(.*?)'? of type/.exec(text)?.[1] ?? text.replaceAll("'", '')
}
