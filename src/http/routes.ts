import { checkId } from '../job/id.ts'
import { DEFAULT_BASE, linksOf } from './accept.ts'
import type { Answer } from './answer.ts'
import { toResponse } from './answer.ts'
import { plainProblem, problemOf } from './problem.ts'
import type { JobSource, ReadableJob } from './status.ts'
import { cancelJob, jobNotFound, readJob } from './status.ts'

export interface JobRoutesOptions {
  /** The path below which jobs are found. @default '/jobs' */
  readonly base?: string
  /**
   * Whether this request may see and cancel this job; refused, it reads as unknown. Needed when ids can be guessed,
   * such as order numbers. @default whoever knows the id may
   */
  readonly authorize?: (request: Request, job: ReadableJob) => boolean | Promise<boolean>
}

/** Answers a request, or undefined when it is for someone else. */
export type JobRoutes = (request: Request) => Promise<Response | undefined>

/** `GET {base}/{id}` and `POST {base}/{id}/cancel`. There is no listing. Errors become problem documents. */
export function jobRoutes(source: JobSource, options: JobRoutesOptions = {}): JobRoutes {
  const base = options.base ?? DEFAULT_BASE
  return async (request) => {
    const match = matchPath(new URL(request.url).pathname, base)
    if (match === undefined) return
    const answer = await answerTo(request, match, source, base, options.authorize).catch(problemOf)
    return request.method === 'HEAD' ? toResponse({ ...answer, body: undefined }) : toResponse(answer)
  }
}

interface Match {
  readonly id: string | undefined
  readonly cancel: boolean
}

function matchPath(path: string, base: string): Match | undefined {
  if (!path.startsWith(`${base}/`)) return
  const [id = '', verb, ...rest] = path.slice(base.length + 1).split('/')
  if (id === '' || rest.length > 0 || (verb !== undefined && verb !== 'cancel')) return
  return { id: usableId(id), cancel: verb === 'cancel' }
}

function usableId(text: string): string | undefined {
  try {
    return checkId(decodeURIComponent(text))
  } catch {
    return undefined
  }
}

async function answerTo(
  request: Request,
  { id, cancel }: Match,
  source: JobSource,
  base: string,
  authorize: JobRoutesOptions['authorize'],
): Promise<Answer> {
  const allowed = cancel ? ['POST'] : ['GET', 'HEAD']
  if (!allowed.includes(request.method)) return notAllowed(allowed)
  if (id === undefined) return jobNotFound(new URL(request.url).pathname)
  if (authorize !== undefined) {
    const job = await source.get(id)
    if (job === undefined || !(await authorize(request, job))) return jobNotFound(linksOf(id, base).self)
  }
  return cancel
    ? cancelJob(source, id, base)
    : readJob(source, id, base, request.headers.get('if-none-match'))
}

function notAllowed(allowed: readonly string[]): Answer {
  const { status, headers, body } = plainProblem(405, 'Method Not Allowed')
  return { status, headers: { ...headers, allow: allowed.join(', ') }, body }
}
