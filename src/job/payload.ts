import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { ErrorCode } from './errors.ts'
import { InputError, OffloadError } from './errors.ts'
import { faultOf } from './fault.ts'

/** Payloads may be this many UTF-8 bytes long unless told otherwise. */
export const DEFAULT_PAYLOAD_BYTES = 262_144

const MAX_DEPTH = 100

/**
 * JSON text of a value. What JSON cannot carry as it is (a Date, a Map, NaN, a function, a cycle, a `__proto__` key …)
 * is refused by path and name. Properties that are undefined are left out.
 * @throws PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, or the code given
 */
export function encode(value: unknown, maxBytes: number, code: ErrorCode = 'PAYLOAD_INVALID'): string {
  let text: string | undefined
  try {
    check(value, [], code)
    text = JSON.stringify(value)
  } catch (error) {
    if (error instanceof OffloadError) throw error
    throw new OffloadError(
      code,
      `a getter of the value threw while it was read: ${faultOf(error, 0, 0).message}`,
      { cause: error },
    )
  }
  if (text.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(text)
    if (bytes > maxBytes) {
      throw new OffloadError(
        code === 'PAYLOAD_INVALID' ? 'PAYLOAD_TOO_LARGE' : code,
        `the value is ${bytes} bytes of JSON, more than the limit of ${maxBytes}; store it elsewhere and pass a reference, or raise limits.payloadBytes`,
      )
    }
  }
  return text
}

/** `path` is where the value stands: names of properties and places in lists. It is made readable only for an error. */
function check(value: unknown, path: (string | number)[], code: ErrorCode): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (Number.isFinite(value)) return
      throw refused(code, path, String(value), 'use null or a string')
    case 'bigint':
      throw refused(code, path, 'a bigint', 'use a string')
    case 'object':
      break
    default:
      throw refused(
        code,
        path,
        typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`,
        'leave it out or use null',
      )
  }
  if (value === null) return
  if (path.length >= MAX_DEPTH)
    throw refused(
      code,
      path,
      `more than ${MAX_DEPTH} levels of nesting`,
      'flatten it (a cycle looks the same)',
    )
  const prototype = Object.getPrototypeOf(value)
  if (
    !Array.isArray(value) &&
    prototype !== null &&
    prototype !== Object.prototype &&
    Object.getPrototypeOf(prototype) !== null
  ) {
    throw refused(
      code,
      path,
      `a ${className(value)}`,
      value instanceof Date ? 'use toISOString()' : 'use a plain object, array or string',
    )
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    throw refused(code, path, 'an object with toJSON()', 'pass what it returns')
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkMember(value[i], i, path, code)
    return
  }
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue
    if (key === '__proto__') throw refused(code, [...path, key], 'a "__proto__" key', 'rename it')
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) checkMember(member, key, path, code)
  }
}

function checkMember(
  member: unknown,
  key: string | number,
  path: (string | number)[],
  code: ErrorCode,
): void {
  path.push(key)
  check(member, path, code)
  path.pop()
}

function className(value: object): string {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (tag !== 'Object') return tag
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'class instance'
}

/** `lines[0].sku` of `['lines', 0, 'sku']`. */
function readable(keys: readonly (string | number)[]): string {
  let text = ''
  for (const key of keys) text = typeof key === 'number' ? `${text}[${key}]` : join(text, key)
  return text
}

function join(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

function refused(
  code: ErrorCode,
  keys: readonly (string | number)[],
  what: string,
  advice: string,
): OffloadError {
  const path = readable(keys)
  const where = path === '' ? 'the value itself' : path
  return new OffloadError(code, `${where} is ${what}, which JSON cannot carry; ${advice}`, { path })
}

/**
 * The value of a JSON text. A `__proto__` key is refused, so that no later merge can be tricked.
 * @throws PAYLOAD_UNDECODABLE
 */
export function decode(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new OffloadError('PAYLOAD_UNDECODABLE', `the payload is no JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (MAY_POLLUTE.test(text) && pollutes(value)) {
    throw new OffloadError('PAYLOAD_UNDECODABLE', 'the payload has a "__proto__" key, which is refused')
  }
  return value
}

const MAY_POLLUTE = /__proto__|\\u/

function pollutes(root: unknown): boolean {
  const open: unknown[] = [root]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue
    if (Object.hasOwn(value, '__proto__')) return true
    for (const member of Object.values(value))
      if (typeof member === 'object' && member !== null) open.push(member)
  }
  return false
}

/**
 * The value that a schema makes of an input, every failing path listed otherwise; a promise only when the schema needs one.
 * @throws InputError with the code given
 */
export function validate(
  schema: StandardSchemaV1,
  input: unknown,
  task: string,
  code: 'INPUT_INVALID' | 'RESULT_INVALID' = 'INPUT_INVALID',
): unknown | Promise<unknown> {
  const answer = schema['~standard'].validate(input)
  return answer instanceof Promise
    ? answer.then((result) => unwrap(result, task, code))
    : unwrap(answer, task, code)
}

function unwrap(
  result: StandardSchemaV1.Result<unknown>,
  task: string,
  code: 'INPUT_INVALID' | 'RESULT_INVALID',
): unknown {
  if (result.issues === undefined) return result.value
  const issues = result.issues
    .slice(0, MOST_ISSUES)
    .map((issue) => ({ path: short(pathOf(issue.path)), message: short(issue.message) }))
  const more = result.issues.length - issues.length
  const listed = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  const what = code === 'INPUT_INVALID' ? 'the input of' : 'the result of'
  throw new InputError(
    code,
    `${what} task "${task}" does not fit its schema: ${listed}${more > 0 ? `; and ${more} more` : ''}`,
    { task, issues },
  )
}

/** What is wrong with a large input must not be larger still. */
const MOST_ISSUES = 100

function short(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300).toWellFormed()}…` : text
}

function pathOf(path: StandardSchemaV1.Issue['path']): string {
  const keys = (path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
  return readable(keys.map((key) => (typeof key === 'symbol' ? String(key) : key)))
}
