import type { ErrorCode } from '../job/errors.ts'
import { OffloadError } from '../job/errors.ts'
import { hideSecrets } from './secrets.ts'
import type { Line, Terminal } from './terminal.ts'

/** What the command line itself got wrong; everything else is a failure. */
const usageCodes: readonly ErrorCode[] = [
  'USAGE_INVALID',
  'OPTION_INVALID',
  'ID_INVALID',
  'URL_UNKNOWN',
  'LEDGER_REQUIRED',
]

/** Tells of an error; the answer is the exit code. */
export function failed(error: unknown, terminal: Terminal): number {
  const message = hideSecrets(error instanceof Error ? error.message : String(error))
  const code = error instanceof OffloadError ? error.code : 'UNEXPECTED'
  const docs = error instanceof OffloadError ? error.docs : undefined
  terminal.fail({ code, message, docs }, [{ text: 'offload: ', style: 'red' }, message], ...stackOf(error), [
    { text: docs === undefined ? code : `${code}, ${docs}`, style: 'dim' },
  ])
  return error instanceof OffloadError && usageCodes.includes(error.code) ? 2 : 1
}

/** Where it was thrown: of the module a user named, and of what nobody foresaw. */
function stackOf(error: unknown): Line[] {
  const source =
    error instanceof OffloadError ? (error.code === 'MODULE_INVALID' ? error.cause : undefined) : error
  if (!(source instanceof Error) || source.stack === undefined) return []
  return hideSecrets(source.stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((text): Line => ({ text, style: 'dim' }))
}
