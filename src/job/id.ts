import { OffloadError, shown } from './errors.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_CHARS = 10
const RANDOM_CHARS = 20
const CODES = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0))

/** Fills an array with random bytes, e.g. `crypto.getRandomValues`. */
export type RandomBytes = (into: Uint8Array) => void

/** Makes ids of 30 characters: 50 bits of milliseconds, then 100 random bits, in Crockford's base 32. They sort by time. */
export function idMaker(random: RandomBytes): (now: number) => string {
  const pool = Buffer.alloc(RANDOM_CHARS * 256)
  let used = pool.length
  let prefixTime = -1
  let prefix = ''
  return (now) => {
    if (used === pool.length) {
      random(pool)
      for (let at = 0; at < pool.length; at++) pool[at] = CODES[(pool[at] as number) & 31] as number
      used = 0
    }
    if (now !== prefixTime) {
      prefixTime = now
      prefix = timePrefix(now)
    }
    used += RANDOM_CHARS
    return prefix + pool.toString('latin1', used - RANDOM_CHARS, used)
  }
}

function timePrefix(now: number): string {
  let rest = Math.max(0, Math.floor(now))
  let text = ''
  for (let i = 0; i < TIME_CHARS; i++) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

const OWN_ID = /^[0-9a-hjkmnp-tv-z]{30}(?:$|\.)/

/** Whether an id is of those made here, or follows from one: nobody finds it by trying. */
export function isUnguessable(id: string): boolean {
  return OWN_ID.test(id)
}

const USABLE_ID = /^[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/

/** Checks an id that a user chose: 1 to 200 letters, digits and `. _ : ~ @ -`, so that it fits a URL as it is. */
export function checkId(id: string): string {
  if (typeof id === 'string' && USABLE_ID.test(id)) return id
  throw new OffloadError(
    'ID_INVALID',
    `id ${shown(id)} cannot be used: take 1 to 200 letters, digits and . _ : ~ @ -, beginning with a letter or digit`,
  )
}

const USABLE_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$/

/** Checks the name of a task, queue or schedule: 1 to 120 letters, digits and `. _ : -`. */
export function checkName(what: 'task' | 'queue' | 'schedule', name: string): string {
  if (typeof name === 'string' && USABLE_NAME.test(name)) return name
  throw new OffloadError(
    'OPTION_INVALID',
    `${what} name ${shown(name)} cannot be used: take 1 to 120 letters, digits and . _ : -, beginning with a letter or digit`,
  )
}

/** Checks a key: 1 to 200 characters, none of them a control character. */
export function checkKey(key: string): string {
  if (
    typeof key === 'string' &&
    key.length > 0 &&
    key.length <= 200 &&
    !/\p{Cc}/u.test(key) &&
    key.isWellFormed()
  )
    return key
  throw new OffloadError(
    'OPTION_INVALID',
    `key ${shown(key)} cannot be used: take 1 to 200 characters without control characters`,
  )
}

/** The id of the job that a schedule makes for a tick: `nightly@20301231T030000Z`. */
export function tickId(schedule: string, tick: number): string {
  return `${schedule}@${new Date(tick).toISOString().replace('.000', '').replace(/[-:]/g, '')}`
}

const TICK = /@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\.\d{3})?Z$/

/** The tick (ms) that the id of a schedule's job names; undefined for any other id. */
export function tickOf(id: string): number | undefined {
  const found = id.endsWith('Z') ? TICK.exec(id) : null
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, ms = ''] = found
  const tick = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${ms}Z`)
  return Number.isNaN(tick) ? undefined : tick
}
