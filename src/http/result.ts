import { contentOf } from '../job/content.ts'
import { OffloadError } from '../job/errors.ts'
import { isEnded } from '../job/job.ts'
import type { JobView } from '../reading/view.ts'
import type { Answer } from './answer.ts'
import { answerOf } from './answer.ts'
import type { Ask } from './ask.ts'

/** Sends a result that is kept elsewhere: a file, an object of a bucket. Undefined for a result that is sent as it is stored. */
export type ResultHook = (
  job: JobView,
  request: Request,
) => Response | undefined | Promise<Response | undefined>

/** `GET /jobs/{id}/result`: the result alone, with its own type. @throws RESULT_PENDING, JOB_DEAD, JOB_CANCELLED */
export async function resultAnswer(job: JobView, ask: Ask, hook: ResultHook | undefined): Promise<Answer> {
  if (!isEnded(job.state))
    throw new OffloadError('RESULT_PENDING', `the job is ${job.state}: ask again later`, {
      retryAfterMs: 1000,
    })
  if (job.state === 'dead') throw new OffloadError('JOB_DEAD', 'the job ended without a result')
  if (job.state === 'cancelled') throw new OffloadError('JOB_CANCELLED', 'the job was cancelled')
  const response = await hook?.(job, ask.request)
  return response === undefined ? stored(job.result) : answerOf(response)
}

function stored(result: unknown): Answer {
  const content = contentOf(result)
  if (content === undefined)
    return {
      status: 200,
      headers: { ...shared, 'content-type': 'application/json' },
      body: JSON.stringify(result ?? null),
    }
  const { type, filename, bytes } = content
  return {
    status: 200,
    headers: {
      ...shared,
      'content-type': type,
      'content-length': String(bytes.length),
      'content-disposition': `attachment${filename === undefined ? '' : `; filename*=UTF-8''${encoded(filename)}`}`,
    },
    body: bytes,
  }
}

/** Somebody else's bytes on this origin: they run nothing and are what they say they are. */
const shared = {
  'cache-control': 'private, no-cache',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
}

/** RFC 8187. */
function encoded(filename: string): string {
  return encodeURIComponent(filename.toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  )
}
