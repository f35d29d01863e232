import type { Handle } from '../handle.ts'
import { OffloadError } from '../job/errors.ts'
import { validate } from '../job/payload.ts'
import type { AnyTask, EnqueueOptions, OnDone, Task } from '../task.ts'
import { onDoneOf } from '../task.ts'
import type { AnswerParts, Waits } from './accept.ts'
import { acceptedAnswer, answerAccepted } from './accept.ts'
import type { Access } from './access.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import { readJson } from './body.ts'
import type { IdempotencyOptions, IdempotencyRule } from './idempotency.ts'
import { InFlight, idempotencyOptions } from './idempotency.ts'
import type { JsonSchema } from './openapi/json-schema.ts'
import { problemOf, refusalOf } from './problem.ts'
import type { Route } from './route.ts'
import { traceOf } from './trace.ts'

/** A route that accepts jobs of one task: the body is its input. */
export interface AcceptRoute {
  readonly task: AnyTask
  /** @default 'optional' */
  readonly idempotency?: IdempotencyRule
  /** Takes up to so many jobs in one request at `{path}/batch`. @default 0: not at all */
  readonly batch?: number
  /** What else `enqueue()` is told of this request. The input fits the schema; it is as it was sent. */
  // biome-ignore lint/suspicious/noExplicitAny: routes of every input stand in one table
  readonly options?: (input: any, request: Request) => EnqueueOptions
  /** Takes a `callbackUrl` from the body and has it told of the end: `callback: (url) => hooks.to({ url })` of `offload/webhooks`. */
  readonly callback?: (url: string) => OnDone
  /** Seconds after which the client should look. @default 1 */
  readonly retryAfter?: number
  /** What the OpenAPI document says of the input and the result (JSON Schema 2020-12). @default what the schemas of the task tell */
  readonly jsonSchema?: { readonly input?: JsonSchema; readonly output?: JsonSchema }
}

export function acceptRouteOf(route: AnyTask | AcceptRoute): AcceptRoute {
  return 'task' in route ? route : { task: route }
}

/** What accepting needs of a queue. */
export interface Accepts extends Waits {
  enqueue<Input, Result>(
    task: Task<Input, Result>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): Promise<Handle<Result>>
}

export interface AcceptParts extends AnswerParts {
  readonly queue: Accepts
  readonly access: Access
  readonly bodyBytes: number
}

/** Answers the requests of one accept route. */
export class Acceptor {
  readonly path: string
  readonly route: AcceptRoute
  readonly #parts: AcceptParts
  readonly #inFlight = new InFlight()

  constructor(path: string, route: AcceptRoute, parts: AcceptParts) {
    this.path = path
    this.route = route
    this.#parts = parts
  }

  /** `POST {path}`: 202, or 200 with what became of the job where the client waits. */
  async one(ask: Ask): Promise<Answer> {
    const { access, bodyBytes } = this.#parts
    const tenant = access.hasTenants ? await access.tenant(ask) : undefined
    const read = readJson(ask, bodyBytes)
    const body = read instanceof Promise ? await read : read
    const once = this.#once(ask.header('idempotency-key'), body)
    const answer = async (): Promise<Answer> => {
      const { handle, isSeen } = await this.#enqueue(ask, body, tenant, once)
      return isSeen
        ? answerAccepted(ask, handle, this.#parts, this.route.retryAfter)
        : acceptedAnswer(handle, this.#parts.links, this.route.retryAfter)
    }
    if (once === undefined) return answer()
    return this.#inFlight.once(`${tenant ?? ''} ${once.idempotencyKey}`, answer)
  }

  /** `POST {path}/batch`: 207 with an answer for each item, in order; 503 when none could be taken for now. */
  async many(ask: Ask): Promise<Answer> {
    const { access, bodyBytes } = this.#parts
    const tenant = access.hasTenants ? await access.tenant(ask) : undefined
    const items = itemsOf(await readJson(ask, bodyBytes), this.route.batch ?? 0)
    const answers = await Promise.all(items.map((item) => this.#item(ask, item, tenant)))
    if (answers.length > 0 && answers.every(({ status }) => status === 503)) return answers[0] as Answer
    return {
      status: 207,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: {
        items: answers.map(({ status, headers, body }) => ({
          status,
          ...(status === 202
            ? { job: body, ...(headers['idempotent-replayed'] === undefined ? {} : { replayed: true }) }
            : { problem: body }),
        })),
      },
    }
  }

  async #item(ask: Ask, { input, idempotencyKey }: Item, tenant: string | undefined): Promise<Answer> {
    try {
      const once = this.#once(idempotencyKey, input)
      const { handle } = await this.#enqueue(ask, input, tenant, once)
      return acceptedAnswer(handle, this.#parts.links, this.route.retryAfter)
    } catch (error) {
      // Of a whole answer only the status can be told within another.
      return error instanceof Response ? refusalOf(error) : problemOf(error)
    }
  }

  #once(header: string | undefined, body: unknown): IdempotencyOptions | undefined {
    return idempotencyOptions(header, this.route.idempotency ?? 'optional', `POST ${this.path}`, body)
  }

  async #enqueue(
    ask: Ask,
    body: unknown,
    tenant: string | undefined,
    once: IdempotencyOptions | undefined,
  ): Promise<{ readonly handle: Handle<unknown>; readonly isSeen: boolean }> {
    const { task, options, callback } = this.route
    const { input, callbackUrl } = callback === undefined ? { input: body } : withoutCallback(body)
    const trace = traceOf(ask)
    if (options !== undefined) await validate(task.input, input, task.name)
    const own = options?.(input, ask.request)
    const handle = await this.#parts.queue.enqueue(task, input, {
      ...(trace === undefined ? {} : { trace }),
      ...own,
      ...(callbackUrl === undefined || callback === undefined
        ? {}
        : { onDone: [...onDoneOf(own?.onDone ?? task.onDone), callback(callbackUrl)] }),
      ...(tenant === undefined ? {} : { tenant }),
      ...once,
    })
    const by = own?.id === undefined ? 'key' : 'id'
    const isSeen = !handle.duplicate || (await this.#parts.access.seesAgain(ask, handle.id, tenant, by))
    return { handle, isSeen }
  }
}

/** The input is what is left of the body. @throws INPUT_INVALID */
function withoutCallback(body: unknown): { readonly input: unknown; readonly callbackUrl?: string } {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'callbackUrl')) return { input: body }
  const { callbackUrl, ...input } = body as { callbackUrl: unknown }
  if (typeof callbackUrl === 'string') return { input, callbackUrl }
  throw unfit('callbackUrl', 'must be the text of a URL')
}

interface Item {
  readonly input: unknown
  readonly idempotencyKey: string | undefined
}

/** @throws INPUT_INVALID */
function itemsOf(body: unknown, most: number): Item[] {
  const items = (body as { items?: unknown } | null)?.items
  if (!Array.isArray(items)) throw unfit('items', 'must be a list of { input, idempotencyKey? }')
  if (items.length > most) throw unfit('items', `must be ${most} items at most`)
  return items.map((item: unknown, index) => {
    if (typeof item !== 'object' || item === null || !Object.hasOwn(item, 'input'))
      throw unfit(`items[${index}]`, 'must be { input, idempotencyKey? }')
    const { input, idempotencyKey } = item as { input: unknown; idempotencyKey?: unknown }
    if (idempotencyKey !== undefined && typeof idempotencyKey !== 'string')
      throw unfit(`items[${index}].idempotencyKey`, 'must be text')
    return { input, idempotencyKey }
  })
}

function unfit(path: string, message: string): OffloadError {
  return new OffloadError('INPUT_INVALID', `${path} ${message}`, { issues: [{ path, message }] })
}

/** The routes by which jobs of one task are accepted. */
export function acceptRoutes(acceptor: Acceptor): Route[] {
  const { path, route } = acceptor
  const summary = `Queues a job of ${route.task.name}`
  const one: Route = { method: 'POST', path, summary, answer: (ask) => acceptor.one(ask) }
  if ((route.batch ?? 0) < 1) return [one]
  const many = { path: `${path}/batch`, summary: `Queues many jobs of ${route.task.name}` }
  return [one, { method: 'POST', ...many, answer: (ask) => acceptor.many(ask) }]
}
