import type { Duration } from '../duration.ts'
import type { Offload } from '../offload.ts'
import type { AnyTask } from '../task.ts'
import type { AcceptRoute } from './accept-route.ts'
import type { AccessOptions } from './access.ts'
import { toResponse } from './answer.ts'
import { askOf } from './ask.ts'
import type { CorsOptions } from './cors.ts'
import type { HealthPaths, MetricsSource } from './health.ts'
import type { LinkOptions } from './links.ts'
import type { OpenapiInfo } from './openapi.ts'
import type { ResultHook } from './result.ts'
import { RouteTable } from './route-table.ts'

/** What the routes need of a queue; `observed` for `health`, and `observer` is told of requests. */
export type JobSource = Pick<Offload, 'enqueue' | 'get' | 'find' | 'result' | 'cancel' | 'follow'> &
  Partial<Pick<Offload, 'observed' | 'observer'>>

export interface JobRoutesOptions extends AccessOptions {
  /** The path below which jobs are found. @default '/jobs' */
  readonly base?: string
  /** Routes that accept jobs, by path: `{ '/reports': report }`. @default none */
  readonly accept?: Readonly<Record<string, AnyTask | AcceptRoute>>
  /** Signs the links to jobs, and lets in whoever has one that has not expired. @default unsigned */
  readonly links?: LinkOptions
  /** Sends results that are kept elsewhere. */
  readonly result?: ResultHook
  /** The longest that `Prefer: wait` holds a request. @default '60s' */
  readonly maxWait?: Duration
  /** The longest body that is read. @default 1 MiB */
  readonly bodyBytes?: number
  /** Event streams open at once in this process. @default 20000 */
  readonly maxStreams?: number
  /** Lets pages of other origins in. @default they are not */
  readonly cors?: CorsOptions
  /**
   * Where clients reach this server, such as `https://api.example.com`: each 202 then has `Operation-Location` (Microsoft REST
   * API Guidelines), the whole address of the job. @default it has `Location` alone
   */
  readonly origin?: string
  /** Tells of these routes at `GET {base}/openapi.json`, as an OpenAPI 3.1 document. @default it does not */
  readonly openapi?: OpenapiInfo
  /**
   * Tells at `/livez` whether this process runs, and at `/readyz` whether it can do its work: 200, or 503 and why. To whoever
   * asks. @default it does not
   */
  readonly health?: boolean | HealthPaths
  /** Sends what `metrics()` of `offload/metrics` has counted at `/metrics`, to whoever asks. @default it does not */
  readonly metrics?: MetricsSource
}

/** What holds requests open: a server that closes ends them first. */
export interface HoldsStreams {
  /**
   * Ends the open event streams, whose clients come back elsewhere, to where they were, and answers those who wait for the end of a
   * job with 202.
   */
  close(): void
}

/** Answers a request, or undefined when it is for someone else. */
export type JobRoutes = HoldsStreams & ((request: Request) => Promise<Response | undefined>)

/**
 * The accept routes, `GET {base}` where there is a `list` hook, and `GET {base}/{id}`, `GET {base}/{id}/result`, `GET {base}/{id}/events` and
 * `POST {base}/{id}/cancel`, for any server that speaks web-standard requests. Errors become problem documents.
 */
export function jobRoutes(queue: JobSource, options: JobRoutesOptions = {}): JobRoutes {
  const table = new RouteTable(queue, options)
  const routes = async (request: Request): Promise<Response | undefined> => {
    const answer = await table.answer(askOf(request))
    return answer === undefined ? undefined : toResponse(answer)
  }
  return Object.assign(routes, { close: () => table.close() })
}
