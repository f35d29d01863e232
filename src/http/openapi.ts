import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'
import { DEFAULT_BASE, DEFAULT_MAX_WAIT } from './accept.ts'
import type { AcceptRoute } from './accept-route.ts'
import { acceptRouteOf } from './accept-route.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import type { AcceptContext } from './openapi/accept-operations.ts'
import { acceptOperation, batchOperation } from './openapi/accept-operations.ts'
import { Components, pascal } from './openapi/components.ts'
import { getOpenapi, jobItems, listJobs } from './openapi/job-operations.ts'
import { webhookItems } from './openapi/webhooks.ts'
import type { JobRoutesOptions } from './routes.ts'
import { etagOf, matches } from './status.ts'

/** What a document says of the API as a whole. */
export interface OpenapiInfo {
  readonly title: string
  /** Of the API, not of Offload. */
  readonly version: string
  readonly description?: string
  /** Where the paths are found. @default where the document was found */
  readonly servers?: readonly { readonly url: string; readonly description?: string }[]
  /** Whether it tells of webhooks to receivers that the server knows. @default when a route has a `callback` */
  readonly webhooks?: boolean
}

/** An OpenAPI document, as far as its shape is known here. */
export interface OpenapiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly servers?: OpenapiInfo['servers']
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly webhooks?: Readonly<Record<string, unknown>>
  readonly components: Readonly<Record<string, unknown>>
}

/**
 * The OpenAPI 3.1 document of the routes that `jobRoutes()` makes of these options. Bodies and results are told by the schemas of
 * the tasks, where their library can tell JSON Schema (Zod 4.2, ArkType), or by `jsonSchema` of an accept route. Security is left
 * to the application. @throws OPTION_INVALID
 */
export function openapi(options: JobRoutesOptions, info: OpenapiInfo): OpenapiDocument {
  const { title, version, description, servers } = checkInfo(info)
  const base = options.base ?? DEFAULT_BASE
  const routes = Object.entries(options.accept ?? {}).map(([path, route]) => ({
    path,
    ...acceptRouteOf(route),
  }))
  const components = new Components()
  const context: AcceptContext = {
    components,
    maxWaitMs: toMs(options.maxWait ?? DEFAULT_MAX_WAIT, 'maxWait'),
    hasOrigin: options.origin !== undefined,
    isFoundById: options.links === undefined || options.authorize !== undefined,
  }
  const hasWebhooks = info.webhooks ?? routes.some(({ callback }) => callback !== undefined)
  const accepting = acceptItems(routes, context)
  const paths = {
    ...accepting,
    ...(options.list === undefined ? {} : { [base]: { ...accepting[base], ...listJobs(components) } }),
    ...(options.openapi === undefined ? {} : { [`${base}/openapi.json`]: getOpenapi(components) }),
    ...jobItems(base, components, options.links !== undefined),
  }
  const webhooks = hasWebhooks ? { webhooks: webhookItems(components) } : {}
  return {
    openapi: '3.1.0',
    info: { title, version, ...(description === undefined ? {} : { description }) },
    ...(servers === undefined ? {} : { servers }),
    tags: [
      ...(routes.length === 0
        ? []
        : [{ name: 'accept', description: 'Work that is accepted now and done after.' }]),
      { name: 'jobs', description: 'What became of it.' },
    ],
    paths,
    ...webhooks,
    components: components.all,
  }
}

/** `GET {base}/openapi.json`: the document is made when it is first asked for. */
export function openapiAnswer(options: JobRoutesOptions, info: OpenapiInfo): (ask: Ask) => Answer {
  checkInfo(info)
  let made: { readonly text: string; readonly etag: string } | undefined
  return (ask) => {
    if (made === undefined) {
      const text = JSON.stringify(openapi(options, info))
      made = { text, etag: etagOf(text) }
    }
    const headers = { etag: made.etag, 'cache-control': 'max-age=60' }
    const ifNoneMatch = ask.header('if-none-match')
    if (ifNoneMatch !== undefined && matches(ifNoneMatch, made.etag))
      return { status: 304, headers, body: undefined }
    return { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body: made.text }
  }
}

function acceptItems(
  routes: readonly (AcceptRoute & { readonly path: string })[],
  context: AcceptContext,
): Record<string, Record<string, unknown>> {
  const taken = new Set<string>()
  const items: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const id = unused(`accept${pascal(route.path)}`, taken)
    items[route.path] = { post: acceptOperation(id, route, context) }
    if ((route.batch ?? 0) > 0)
      items[`${route.path}/batch`] = { post: batchOperation(unused(`${id}Batch`, taken), route, context) }
  }
  return items
}

function unused(id: string, taken: Set<string>): string {
  let unique = id
  for (let number = 2; taken.has(unique); number++) unique = `${id}${number}`
  taken.add(unique)
  return unique
}

function checkInfo(info: OpenapiInfo): OpenapiInfo {
  const isText = [info?.title, info?.version].every((value) => typeof value === 'string' && value !== '')
  if (isText) return info
  throw new OffloadError(
    'OPTION_INVALID',
    "openapi takes { title, version } of the API: openapi: { title: 'Reports', version: '1.0.0' }",
  )
}
