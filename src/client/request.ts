import { errorOf, OffloadClientError } from './error.ts'
import type { ClientJob } from './job.ts'
import { asJob } from './job.ts'
import { anyOf, pauseAfter, sleep } from './pause.ts'

export type HeadersLike = ConstructorParameters<typeof Headers>[0]

export interface RequestOptions {
  /**
   * Where the server is: its origin, and what comes before the paths that you name, such as `https://api.example.com/v1`; in a
   * browser also `/v1` alone. The addresses of jobs are taken as the server gives them, and from this origin alone.
   * @default the origin of the page
   */
  readonly base?: string
  /** Sends the requests: with cookies to another origin, through a proxy. @default the platform's own */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Added to each request, asked for each time: a token that is renewed. @default none */
  readonly headers?: () => HeadersLike | Promise<HeadersLike>
}

export interface Ask<Answer> {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** How long one try may take until it has been read. @default unbounded */
  readonly tryMs?: number
  /** Makes the answer of a response that is well, or 304. What fails here is a failure of the network. */
  readonly read: (response: Response) => Answer | Promise<Answer>
}

export const TRY_MS = 30_000
const MOST_TRIES = 6
const BASE_MS = 300

/** Sends requests to one server. */
export interface Requests {
  /** One try. @throws OffloadClientError, the reason of the signal */
  once<Answer>(address: string, ask: Ask<Answer>): Promise<Answer>
  /** The same, tried again where that makes sense: of what the server takes once. */
  send<Answer>(address: string, ask: Ask<Answer>): Promise<Answer>
  /** `GET` of a job. */
  job<Result>(job: ClientJob<Result> | string, signal?: AbortSignal): Promise<ClientJob<Result>>
  /** The URL of a path that a caller names. @throws OPTION_INVALID */
  route(path: string): string
}

/** @throws OPTION_INVALID */
export function requests(options: RequestOptions): Requests {
  const { fetch = (url, init) => globalThis.fetch(url, init), headers, base = '' } = options
  const root = rootOf(base)

  const locate = (path: string, prefix: string): string => {
    const url = /^(?:\/|https?:)/.test(path) ? parsed(prefix + path, root.origin) : undefined
    if (url?.origin === root.origin) return url.href
    throw new OffloadClientError(
      'OPTION_INVALID',
      `${JSON.stringify(path)} is no address on ${root.origin}: name a path such as '/reports', or a job that submit() gave`,
    )
  }

  const once = async <Answer>(address: string, ask: Ask<Answer>): Promise<Answer> => {
    const url = locate(address, '')
    const { signal, tryMs, read, headers: own = {}, ...init } = ask
    signal?.throwIfAborted()
    const all = new Headers(await headers?.())
    for (const [name, value] of Object.entries(own)) all.set(name, value)
    const until = anyOf(signal, tryMs === undefined ? undefined : AbortSignal.timeout(tryMs))
    try {
      const response = await fetch(url, { ...init, headers: all, signal: until })
      if (response.ok || response.status === 304) return await read(response)
      throw await errorOf(response)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof OffloadClientError) throw error
      throw new OffloadClientError('NETWORK_FAILED', `no whole answer from ${url}`, { cause: error })
    }
  }

  const send = async <Answer>(address: string, ask: Ask<Answer>): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      try {
        return await once(address, ask)
      } catch (error) {
        const pause = tries < MOST_TRIES ? pauseAfter(error, tries, BASE_MS, Math.random()) : undefined
        if (pause === undefined) throw error
        await sleep(pause, ask.signal)
      }
    }
  }

  return {
    once,
    send,
    job: <Result>(job: ClientJob<Result> | string, signal?: AbortSignal) =>
      send(selfOf(job), { signal, tryMs: TRY_MS, read: (response) => readJob<Result>(response) }),
    route: (path) => locate(path, root.pathname.replace(/\/$/, '')),
  }
}

export function selfOf(job: ClientJob | string): string {
  return typeof job === 'string' ? job : job.links.self
}

/** The job in a response. @throws HTTP_FAILED */
export async function readJob<Result>(response: Response): Promise<ClientJob<Result>> {
  return asJob(await readJson(response), response.status)
}

/** A body that was cut rejects as it is; one that came whole and is no JSON is no failure of the network. @throws HTTP_FAILED */
export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    const { status } = response
    throw new OffloadClientError('HTTP_FAILED', `the server answered ${status} with what is no JSON`, {
      status,
    })
  }
}

function rootOf(base: string): URL {
  const { location } = globalThis as { readonly location?: { readonly origin: string } }
  const root = parsed(base, location?.origin)
  if (root !== undefined && root.origin !== 'null') return root
  throw new OffloadClientError('OPTION_INVALID', "base must be a URL such as 'https://api.example.com'")
}

function parsed(url: string, base: string | undefined): URL | undefined {
  return URL.canParse(url, base) ? new URL(url, base) : undefined
}
