import fc from 'fast-check'
import type { OpenapiDocument } from 'offload/http'
import { bodies } from './bodies.ts'
import { fitting } from './from-schema.ts'
import { nasty, oddHeaders, oddIds, oddQueryValues, oddTypes, seldom } from './odd.ts'

/** A request as it will be written; `{id}` of its target is put in when it is sent. */
export interface FuzzRequest {
  readonly method: string
  readonly target: string
  readonly id: FuzzId
  readonly headers: readonly Header[]
  readonly body: Uint8Array | undefined
  readonly framing: Framing
}

type Header = readonly [name: string, value: string]

/** One of the jobs that are there, or this text. */
type FuzzId = { readonly known: number } | { readonly text: string }

/** How the body is delimited; `whole` and `chunked` are as HTTP wants it. */
type Framing = 'whole' | 'chunked' | 'longer' | 'shorter' | 'both' | 'bad chunk'

interface Parameter {
  readonly name: string
  readonly in: string
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly body: Readonly<Record<string, unknown>> | undefined
}

const methods = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND']

/** Requests for the operations of a document: as it wants them, nearly so, and not at all. */
export function requests(document: OpenapiDocument): fc.Arbitrary<FuzzRequest> {
  const asJson = JSON.parse(JSON.stringify(document))
  return fc.constantFrom(...operationsOf(document)).chain(({ method, path, parameters, body }) =>
    fc.record({
      method: seldom(method, fc.constantFrom(...methods)),
      target: targets(path, parameters),
      id: fc.oneof(
        { weight: 3, arbitrary: fc.record({ known: fc.nat() }) },
        { weight: 2, arbitrary: fc.record({ text: oddIds }) },
      ),
      headers: headersFor(parameters, body !== undefined),
      body:
        body === undefined
          ? seldom<Uint8Array | undefined>(undefined, bodies(fc.jsonValue()))
          : bodies(fitting(body, asJson)),
      framing: seldom<Framing>(
        'whole',
        fc.constantFrom('chunked', 'chunked', 'chunked', 'longer', 'shorter', 'both', 'bad chunk'),
      ),
    }),
  )
}

function operationsOf(document: OpenapiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([verb]) => verb !== 'parameters')
      .map(([verb, operation]) => {
        const { parameters = [], requestBody } = operation as {
          parameters?: Parameter[]
          requestBody?: { content: Record<string, { schema: Operation['body'] }> }
        }
        return {
          method: verb.toUpperCase(),
          path,
          parameters: [...((item.parameters as Parameter[] | undefined) ?? []), ...parameters],
          body: requestBody?.content['application/json']?.schema,
        }
      }),
  )
}

function targets(path: string, parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const known = parameters.filter((one) => one.in === 'query').map(({ name }) => name)
  const pair = fc
    .tuple(fc.constantFrom(...known, ...known, 'x', '__proto__', 'signature'), oddQueryValues)
    .map(([name, value]) => `${name}=${value}`)
  const query = fc.array(pair, { minLength: 1, maxLength: 3 }).map((pairs) => `?${pairs.join('&')}`)
  const start = seldom('', fc.constantFrom('/', 'http://x', 'HTTPS://x:1'))
  const end = seldom('', fc.constantFrom('/', '//', ';x', '#x', '%'))
  return fc
    .tuple(start, end, known.length > 0 ? fc.oneof(fc.constant(''), query) : seldom('', query))
    .map(([before, after, search]) => before + path + after + search)
}

function headersFor(parameters: readonly Parameter[], hasBody: boolean): fc.Arbitrary<readonly Header[]> {
  const known = parameters.filter((one) => one.in === 'header').map(({ name }) => name.toLowerCase())
  const named = fc.constantFrom('prefer', ...known, ...known, ...Object.keys(oddHeaders))
  const odd = named.chain((name) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...(oddHeaders[name] ?? [''])) },
        { weight: 1, arbitrary: nasty },
      ),
    ),
  )
  const usual = hasBody ? 'application/json' : undefined
  const type = seldom<string | undefined>(usual, fc.constantFrom(undefined, ...oddTypes))
  return fc
    .tuple(fc.array(odd, { maxLength: 2 }), type)
    .map(([headers, given]) => [
      ...headers,
      ...(given === undefined ? [] : [['content-type', given] as const]),
    ])
}
