import { OffloadError } from './errors.ts'
import type { JobFault } from './job.ts'

const MAX_MESSAGE = 2000
const MAX_STACK = 4000

/** Whatever was thrown, as something that can be stored. Never throws, whatever getters and proxies do. */
export function faultOf(thrown: unknown, attempt: number, at: number): JobFault {
  const name = text(() => (thrown as { name: unknown }).name, 100) ?? typeof thrown
  const message = text(() => (thrown as { message: unknown }).message, MAX_MESSAGE) ?? describe(thrown)
  const stack = text(() => (thrown as { stack: unknown }).stack, MAX_STACK)
  const code = text(() => thrown instanceof OffloadError && thrown.code, 100) ?? 'HANDLER_FAILED'
  return { code, name, message, ...(stack === undefined ? {} : { stack }), attempt, at }
}

function text(read: () => unknown, max: number): string | undefined {
  try {
    const value = read()
    return typeof value === 'string' ? clean(value, max) : undefined
  } catch {
    return undefined
  }
}

function describe(thrown: unknown): string {
  try {
    if (typeof thrown === 'string') return clean(thrown, MAX_MESSAGE)
    if (typeof thrown !== 'object' || thrown === null) return clean(String(thrown), MAX_MESSAGE)
    return clean(JSON.stringify(thrown) ?? Object.prototype.toString.call(thrown), MAX_MESSAGE)
  } catch {
    return 'a value that cannot be described was thrown'
  }
}

function clean(value: string, max: number): string {
  const cut = value.length > max ? `${value.slice(0, max)}…` : value
  return cut.toWellFormed().replaceAll('\u0000', '\\0')
}
