import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'
import { Health } from '../observe/health/health.ts'
import type { Observer } from '../observe/observer.ts'
import type { JobView } from '../reading/view.ts'
import type { AnswerParts } from './accept.ts'
import { DEFAULT_BASE, DEFAULT_MAX_WAIT } from './accept.ts'
import { Acceptor, acceptRouteOf, acceptRoutes } from './accept-route.ts'
import { Access } from './access.ts'
import type { Answer } from './answer.ts'
import { isStream } from './answer.ts'
import type { Ask } from './ask.ts'
import { DEFAULT_BODY_BYTES } from './body.ts'
import type { CorsOptions } from './cors.ts'
import { corsHeaders, preflightAnswer } from './cors.ts'
import { EventStreams } from './events.ts'
import { followRoutes } from './follow-routes.ts'
import { healthRoutes, metricsRoutes, readyzAnswer } from './health.ts'
import { LinkMaker } from './links.ts'
import { openapiAnswer } from './openapi.ts'
import { plainProblem, problemOf } from './problem.ts'
import type { Route } from './route.ts'
import { checkDistinct, checkPath, methodsOf } from './route.ts'
import type { JobRoutesOptions, JobSource } from './routes.ts'

/** Others are made up by clients, and would fill the metrics. */
const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'])

/** All routes of one mount. */
export class RouteTable {
  readonly routes: readonly Route[]
  readonly links: LinkMaker
  readonly acceptors: readonly Acceptor[]
  /** What the answer to an accepted job needs. */
  readonly parts: AnswerParts
  readonly #closing = new AbortController()
  readonly #streams: EventStreams
  readonly #cors: CorsOptions | undefined
  readonly #byPath: ReadonlyMap<string, Place>
  readonly #observer: Observer | undefined
  readonly #health: Health | undefined

  /** @param prefix of the paths that do not begin with `base` or are named in `accept` */
  constructor(queue: JobSource, options: JobRoutesOptions, prefix = '') {
    const base = checkPath(options.base ?? DEFAULT_BASE, 'base')
    this.links = new LinkMaker(base, options.links, checkOrigin(options.origin))
    this.parts = {
      queue,
      links: this.links,
      maxWaitMs: toMs(options.maxWait ?? DEFAULT_MAX_WAIT, 'maxWait'),
      closing: this.#closing.signal,
    }
    this.#cors = options.cors
    this.#streams = new EventStreams(queue, this.links, options.maxStreams)
    this.#observer = queue.observer?.requested === undefined ? undefined : queue.observer
    this.#health = healthOf(queue, options)
    const access = new Access(queue, options, this.links)
    const parts = {
      ...this.parts,
      queue,
      access,
      bodyBytes: options.bodyBytes ?? DEFAULT_BODY_BYTES,
    }
    this.acceptors = Object.entries(options.accept ?? {}).map(
      ([path, route]) => new Acceptor(checkPath(path, 'accept'), acceptRouteOf(route), parts),
    )
    this.routes = [
      ...this.acceptors.flatMap(acceptRoutes),
      ...openapiRoutes(base, options),
      ...healthRoutes(prefix, options.health ?? false, (ask) => this.#readyz(ask)),
      ...metricsRoutes(prefix, options.metrics),
      ...followRoutes(base, queue, access, this.links, (job, ask) => this.#follow(job, ask), options),
    ]
    checkDistinct(this.routes)
    const places = [...Map.groupBy(this.routes, ({ path }) => path)]
    this.#byPath = new Map(
      places.map(([path, routes]) => [path, { path, routes, methods: methodsOf(routes) }]),
    )
  }

  /**
   * Undefined when the request is for someone else, who may also take other methods of an accept route; alone, those are
   * refused. Never rejects.
   */
  async answer(ask: Ask, isAlone = false): Promise<Answer | undefined> {
    const match = this.#match(ask.path)
    if (match === undefined) return undefined
    const { place, id } = match
    const isShared = id === '' && ask.method !== 'OPTIONS' && !place.methods.includes(ask.method)
    if (isShared && !isAlone) return undefined
    return this.#observer === undefined
      ? this.#answerAt(place, ask, id)
      : this.#observedAt(place, ask, id, this.#observer)
  }

  async #observedAt(place: Place, ask: Ask, id: string, observer: Observer): Promise<Answer> {
    const begun = performance.now()
    const answer = await this.#answerAt(place, ask, id)
    const method = KNOWN_METHODS.has(ask.method) ? ask.method : 'other'
    observer.requested?.({ method, route: place.path, status: answer.status, ms: performance.now() - begun })
    return answer
  }

  async #answerAt({ routes, methods }: Place, ask: Ask, id: string): Promise<Answer> {
    if (ask.method === 'OPTIONS') return preflightAnswer(methods, this.#cors, ask)
    const method = ask.method === 'HEAD' ? 'GET' : ask.method
    const route = routes.find((one) => one.method === method)
    const answer = route === undefined ? notAllowed(methods) : await answerBy(route, ask, id)
    if (ask.method !== 'HEAD') return this.shownTo(ask, answer)
    if (isStream(answer.body)) void answer.body.return?.()
    return this.shownTo(ask, { ...answer, body: undefined })
  }

  /** A stream that comes to be while the server closes would keep it from it. */
  async #follow(job: JobView, ask: Ask): Promise<Answer> {
    const answer = await this.#streams.answer(job, ask)
    if (this.#closing.signal.aborted) this.#streams.close()
    return answer
  }

  /** The answer as pages of other origins may see it. */
  shownTo(ask: Ask, answer: Answer): Answer {
    if (this.#cors === undefined) return answer
    return { ...answer, headers: { ...answer.headers, ...corsHeaders(this.#cors, ask) } }
  }

  async #readyz(ask: Ask): Promise<Answer> {
    const checks = (await this.#health?.checks()) ?? []
    const isClosing = this.#closing.signal.aborted
    return readyzAnswer(
      isClosing ? [{ name: 'stopping', fault: 'the server closes' }, ...checks] : checks,
      ask,
    )
  }

  /** Ends what is held open, so that a server can close. */
  close(): void {
    this.#closing.abort()
    this.#health?.close()
    this.#streams.close()
  }

  #match(path: string): { readonly place: Place; readonly id: string } | undefined {
    const exact = this.#byPath.get(path)
    if (exact !== undefined) return { place: exact, id: '' }
    if (!path.startsWith(`${this.links.base}/`)) return undefined
    const [id = '', verb, ...more] = path.slice(this.links.base.length + 1).split('/')
    if (id === '' || more.length > 0) return undefined
    const place = this.#byPath.get(`${this.links.base}/{id}${verb === undefined ? '' : `/${verb}`}`)
    return place === undefined ? undefined : { place, id }
  }
}

/** The routes of one path. */
interface Place {
  readonly path: string
  readonly routes: readonly Route[]
  readonly methods: readonly string[]
}

function openapiRoutes(base: string, options: JobRoutesOptions): Route[] {
  if (options.openapi === undefined) return []
  const answer = openapiAnswer(options, options.openapi)
  return [{ method: 'GET', path: `${base}/openapi.json`, summary: 'Tells of these routes', answer }]
}

function healthOf(queue: JobSource, { health = false }: JobRoutesOptions): Health | undefined {
  if (health === false) return undefined
  if (queue.observed !== undefined) return new Health(queue.observed)
  throw new OffloadError('OPTION_INVALID', 'health needs the queue that offload() made')
}

async function answerBy(route: Route, ask: Ask, id: string): Promise<Answer> {
  try {
    return await route.answer(ask, id)
  } catch (error) {
    return problemOf(error, ask.path)
  }
}

function notAllowed(methods: readonly string[]): Answer {
  const { status, headers, body } = plainProblem(405, 'Method Not Allowed')
  return { status, headers: { ...headers, allow: methods.join(', ') }, body }
}

function checkOrigin(origin: string | undefined): string | undefined {
  if (origin === undefined || (URL.canParse(origin) && new URL(origin).origin === origin)) return origin
  throw new OffloadError('OPTION_INVALID', "origin takes an origin such as 'https://api.example.com'")
}
