import { OffloadError } from '../job/errors.ts'
import type { Ask } from './ask.ts'

export const DEFAULT_BODY_BYTES = 1_048_576

/** Deeper values are refused by `enqueue()` as well: nothing that recurs over a body can overflow. */
const MAX_DEPTH = 100

/** The JSON value of a body. @throws CONTENT_TYPE_UNSUPPORTED, BODY_TOO_LARGE, BODY_INVALID */
export function readJson(ask: Ask, limit: number): unknown | Promise<unknown> {
  checkType(ask.header('content-type'))
  const text = ask.text(limit)
  return typeof text === 'string' ? parseJson(text) : text.then(parseJson)
}

function checkType(type: string | undefined): void {
  if (type === 'application/json') return
  if (/^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-?8"?\s*)?$/i.test(type ?? '')) return
  throw typeUnsupported(type)
}

export function typeUnsupported(type: string | undefined): OffloadError {
  return new OffloadError(
    'CONTENT_TYPE_UNSUPPORTED',
    type === undefined
      ? 'the body has no Content-Type: send application/json'
      : 'this takes Content-Type: application/json, in UTF-8',
  )
}

/**
 * JSON as RFC 8259 has it, and as everybody reads it alike: a key that comes twice, a `__proto__` key and more than 100
 * levels are refused. @throws BODY_INVALID
 */
export function parseJson(text: string): unknown {
  if (text === '') throw bodyInvalid('the body is empty: send a JSON value')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw bodyInvalid(
      `the body is no JSON: ${(error as Error).message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)}`,
    )
  }
  const keys = countKeys(value, 0)
  if (keys !== keysWritten(text)) throw bodyInvalid('the body has an object in which one key comes twice')
  return value
}

function countKeys(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth >= MAX_DEPTH) throw bodyInvalid(`the body has more than ${MAX_DEPTH} levels of nesting`)
  let count = 0
  if (Array.isArray(value)) {
    for (const member of value) count += countKeys(member, depth + 1)
    return count
  }
  for (const key in value) {
    if (key === '__proto__') throw bodyInvalid('the body has a "__proto__" key')
    count += 1 + countKeys((value as Record<string, unknown>)[key], depth + 1)
  }
  return count
}

/** In JSON that is well formed, a string before a colon is a key. */
function keysWritten(text: string): number {
  let count = 0
  for (let start = text.indexOf('"'); start !== -1; ) {
    const end = endOfString(text, start)
    let after = end + 1
    while (/* a space, tab or line end */ text.charCodeAt(after) <= 32) after++
    if (text[after] === ':') count++
    start = text.indexOf('"', end + 1)
  }
  return count
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return end
  }
}

export function bodyInvalid(message: string): OffloadError {
  return new OffloadError('BODY_INVALID', message)
}
