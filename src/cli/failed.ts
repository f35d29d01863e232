import type { ErrorCode } from '../job/errors.ts'
import { OffloadError } from '../job/errors.ts'
import { hideSecrets } from '../secrets.ts'
import type { Line, Terminal } from './terminal.ts'

/** What the command line itself got wrong; everything else is a failure. */
const usageCodes: readonly ErrorCode[] = [
  'USAGE_INVALID',
  'OPTION_INVALID',
  'ID_INVALID',
  'URL_UNKNOWN',
  'LEDGER_REQUIRED',
]

const OWN_FOLDER = new URL('.', import.meta.url).href

/** Tells of an error; the answer is the exit code. */
export function failed(error: unknown, terminal: Terminal): number {
  const message = hideSecrets(error instanceof Error ? error.message : String(error))
  const code = error instanceof OffloadError ? error.code : 'UNEXPECTED'
  const docs = error instanceof OffloadError ? error.docs : undefined
  terminal.fail({ code, message, docs }, [{ text: 'error: ', style: 'red' }, message], ...stackOf(error), [
    { text: docs === undefined ? code : `${code}, ${docs}`, style: 'dim' },
  ])
  return error instanceof OffloadError && usageCodes.includes(error.code) ? 2 : 1
}

/** Where it was thrown: in the module that a user named, or by what nobody foresaw. */
function stackOf(error: unknown): Line[] {
  if (!(error instanceof OffloadError)) return frames(error).map(dim)
  if (error.code !== 'MODULE_INVALID') return []
  return frames(error.cause)
    .filter((line) => !line.includes(OWN_FOLDER))
    .map(dim)
}

const dim = (text: string): Line => ({ text, style: 'dim' })

function frames(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return hideSecrets(stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes('node:internal/'))
    .slice(0, 8)
}
