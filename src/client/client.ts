import type { Duration } from '../duration.ts'
import type { CancelVerdict } from '../handle.ts'
import type { Task } from '../task.ts'
import { OffloadClientError } from './error.ts'
import type { FollowOptions } from './follow.ts'
import { follow } from './follow.ts'
import type { Api, ClientEvent, ClientJob, InputOf, ResultOf } from './job.ts'
import { done, isEnded } from './job.ts'
import { anyOf, toMs } from './pause.ts'
import type { RequestOptions } from './request.ts'
import { readJob, readJson, requests, TRY_MS } from './request.ts'

export type OffloadClientOptions = RequestOptions

export interface SubmitOptions {
  /** The same submission again, also after a reload, is the same job. @default a new one, so that retries of this call are safe */
  readonly idempotencyKey?: string
  /** Lets the server hold the answer until the job has ended, for so long (whole seconds, rounded up). @default not at all */
  readonly wait?: Duration
  /** Told of the end, where the route takes one. The input must be an object then. */
  readonly callbackUrl?: string
  readonly signal?: AbortSignal
}

export interface ClientWaitOptions {
  /** At most 24 days. @default until it has ended */
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}

export interface SignalOption {
  readonly signal?: AbortSignal
}

/**
 * Jobs of a server, over HTTP. A job is what `submit()` gave, also when it was kept as JSON, or its address. Every method rejects with
 * an {@link OffloadClientError}, or with the reason of its signal.
 */
export interface OffloadClient<Routes extends Api> {
  /**
   * Hands over a job: resolves when the server has accepted it, or with what it came to when `wait` was long enough. A lost connection,
   * 429, 502, 503, 504 and IDEMPOTENCY_IN_USE are tried again, six times in all, under one idempotency key: it is one job.
   */
  submit<Path extends keyof Routes & string>(
    path: Path,
    input: InputOf<Routes[Path]>,
    options?: SubmitOptions,
  ): Promise<ClientJob<ResultOf<Routes[Path]>>>
  /**
   * The result, when the job has ended; as a Blob when it is no JSON. Rejects with JOB_DEAD, JOB_CANCELLED, JOB_GONE, JOB_NOT_FOUND or
   * RESULT_TIMEOUT.
   */
  wait<Result>(job: ClientJob<Result> | string, options?: ClientWaitOptions): Promise<Result>
  /**
   * What happens to a job until it has ended, each event once; the last one has the whole job. Comes back after a cut to where it was,
   * and where there are no streams looks at the job instead: `state` events then. Leave the loop to stop.
   */
  follow<Result>(
    job: ClientJob<Result> | string,
    options?: FollowOptions,
  ): AsyncGenerator<ClientEvent<Result>, void>
  get<Result>(job: ClientJob<Result> | string, options?: SignalOption): Promise<ClientJob<Result>>
  /** `cancelling`: its handler was asked to stop. `unknown`: not remembered, or not this client's. */
  cancel(job: ClientJob | string, options?: SignalOption): Promise<CancelVerdict>
  /** The response that carries the result, unread: `.blob()` it, `.json()` it, stream it. Rejects with RESULT_PENDING as well. */
  result(job: ClientJob | string, options?: SignalOption): Promise<Response>
}

/**
 * A client of the routes of `offload/http`, for browsers and Node. `Routes` tells what each path takes: the type of the server's
 * `accept` table. @throws OPTION_INVALID
 */
export function offloadClient<Routes extends Api = Record<string, Task<unknown, unknown>>>(
  options: OffloadClientOptions = {},
): OffloadClient<Routes> {
  const server = requests(options)

  const whole = <Result>(
    job: ClientJob<Result> | string,
    signal?: AbortSignal,
  ): Promise<ClientJob<Result>> =>
    typeof job === 'string' || !isEnded(job) ? server.job(job, signal) : Promise.resolve(job)

  const resultOf = async <Result>(
    job: ClientJob<Result>,
    signal: AbortSignal | undefined,
  ): Promise<Result> => {
    const { result, resultUrl } = done(job)
    if (resultUrl === undefined) return result as Result
    return server.send(resultUrl, {
      signal,
      read: async (response) =>
        (isJson(response) ? await readJson(response) : await response.blob()) as Result,
    })
  }

  return {
    async submit<Path extends keyof Routes & string>(
      path: Path,
      input: InputOf<Routes[Path]>,
      { idempotencyKey = newKey(), wait, callbackUrl, signal }: SubmitOptions = {},
    ) {
      const waitMs = wait === undefined ? undefined : Math.ceil(toMs(wait, 'wait') / 1000) * 1000
      return server.send(server.route(path), {
        method: 'POST',
        signal,
        tryMs: TRY_MS + (waitMs ?? 0),
        headers: {
          'content-type': 'application/json',
          'idempotency-key': JSON.stringify(idempotencyKey),
          ...(waitMs === undefined ? {} : { prefer: `wait=${waitMs / 1000}` }),
        },
        body: JSON.stringify(callbackUrl === undefined ? input : withCallback(input, callbackUrl)),
        read: (response) => readJob<ResultOf<Routes[Path]>>(response),
      })
    },

    async wait(job, { timeout, signal } = {}) {
      const late = timeout === undefined ? undefined : AbortSignal.timeout(toMs(timeout, 'timeout'))
      const until = anyOf(signal, late)
      try {
        let last = job
        if (typeof job === 'string' || !isEnded(job))
          for await (const event of follow(server, job, { signal: until })) last = event.job ?? last
        return await resultOf(await whole(last, until), until)
      } catch (error) {
        if (late === undefined || error !== late.reason) throw error
        throw new OffloadClientError('RESULT_TIMEOUT', `the job did not end within ${timeout}`)
      }
    },

    follow: (job, options) => follow(server, job, options),

    get: (job, { signal } = {}) => server.job(job, signal),

    async cancel(job, { signal } = {}) {
      try {
        const { endedAt, links } = typeof job === 'string' ? await server.job(job, signal) : job
        const { cancel } = links
        if (endedAt !== undefined) return 'ended'
        if (cancel === undefined)
          throw new OffloadClientError('LINK_INVALID', 'this link only reads: cancel what submit() gave')
        const read = async (response: Response): Promise<CancelVerdict> =>
          ((await readJson(response)) as { cancelling?: true }).cancelling ? 'cancelling' : 'cancelled'
        return await server.send(cancel, { method: 'POST', signal, tryMs: TRY_MS, read })
      } catch (error) {
        const { code } = error as OffloadClientError
        if (code === 'JOB_ENDED') return 'ended'
        if (code === 'JOB_GONE' || code === 'JOB_NOT_FOUND') return 'unknown'
        throw error
      }
    },

    async result(job, { signal } = {}) {
      const { links, resultUrl = links.result } = done(await whole(job, signal))
      return server.send(resultUrl ?? '', { signal, read: (response) => response })
    },
  }
}

/** 128 random bits. `crypto.randomUUID()` is not there on pages without TLS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) =>
    part.toString(16).padStart(8, '0'),
  ).join('')
}

function withCallback(input: unknown, callbackUrl: string): object {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input, callbackUrl }
  throw new OffloadClientError('OPTION_INVALID', 'callbackUrl goes into the input, which must be an object')
}

function isJson({ headers }: Response): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '')
}
