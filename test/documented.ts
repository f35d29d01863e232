import { Ajv2020 } from 'ajv/dist/2020.js'
import type { OpenapiDocument } from 'offload/http'

type Node = Readonly<Record<string, unknown>>

/** An answer as it came over the wire. */
export interface Answered {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** Compares answers with what an OpenAPI document says of them. */
export class Documented {
  readonly #document: Node
  readonly #ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
  readonly #validators = new Map<string, ReturnType<Ajv2020['compile']>>()

  constructor(document: OpenapiDocument) {
    this.#document = JSON.parse(JSON.stringify(document))
    this.#ajv.addFormat('date-time', (text: string) => new Date(text).toISOString() === text)
    this.#ajv.addFormat('uri-reference', (text: string) => URL.canParse(text, 'http://x'))
    for (const format of ['uri', 'email']) this.#ajv.addFormat(format, true)
    this.#ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'paths', 'webhooks', 'components'])
    this.#ajv.addSchema(this.#document, 'document', undefined, false)
  }

  /** What is not as the document says; undefined when all of it is. */
  fault(answer: Answered): string | undefined {
    const pointer = this.operation(answer.method, answer.path)
    if (pointer === undefined) return `no operation is ${answer.method} ${answer.path}`
    const [at, response] = this.#resolved(`${pointer}/responses/${answer.status}`)
    if (response === undefined) return `status ${answer.status} is not documented`
    return this.#headersFault(response, answer.headers) ?? this.#bodyFault(at, response, answer)
  }

  /** Where the operation stands in the document. */
  operation(method: string, path: string): string | undefined {
    const paths = this.#document.paths as Readonly<Record<string, Node>>
    const template = Object.hasOwn(paths, path)
      ? path
      : Object.keys(paths).find((one) => new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path))
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
    if (template === undefined || paths[template]?.[verb] === undefined) return undefined
    return `/paths/${escaped(template)}/${verb}`
  }

  /** Whether a value fits the schema that stands at this pointer; else why not. */
  unfit(pointer: string, value: unknown): string | undefined {
    let validate = this.#validators.get(pointer)
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `document#${encodeURI(pointer)}` })
      this.#validators.set(pointer, validate)
    }
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors)
  }

  /** Every place in the document where a schema stands. */
  get schemas(): string[] {
    return [...schemasBelow(this.#document, '')]
  }

  #bodyFault(at: string, response: Node, { method, headers, body }: Answered): string | undefined {
    const content = response.content as Readonly<Record<string, Node>> | undefined
    if (content === undefined || method === 'HEAD')
      return body === '' ? undefined : `a body where none is documented: ${body.slice(0, 100)}`
    const type = (headers.get('content-type') ?? '').split(';', 1)[0] ?? ''
    if ('*/*' in content) return undefined
    if (!(type in content)) return `content type ${type} is not documented: ${body.slice(0, 100)}`
    if (!type.endsWith('json')) return undefined
    const unfit = this.unfit(`${at}/content/${escaped(type)}/schema`, JSON.parse(body))
    return unfit === undefined ? undefined : `${unfit}: ${body.slice(0, 300)}`
  }

  #headersFault(response: Node, headers: Headers): string | undefined {
    for (const [name, place] of Object.entries((response.headers ?? {}) as Readonly<Record<string, Node>>)) {
      const value = headers.get(name)
      const at = String(place.$ref).slice(1)
      const [, header] = this.#resolved(at)
      const isNumber = (header?.schema as Node | undefined)?.type === 'integer'
      const unfit = value === null ? undefined : this.unfit(`${at}/schema`, isNumber ? Number(value) : value)
      if (unfit !== undefined) return `header ${name}: ${unfit}`
    }
  }

  #resolved(pointer: string): [string, Node | undefined] {
    let node: unknown = this.#document
    for (const part of pointer.split('/').slice(1))
      node = (node as Node | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
    const found = node as Node | undefined
    return typeof found?.$ref === 'string' ? this.#resolved(found.$ref.slice(1)) : [pointer, found]
  }
}

function* schemasBelow(node: unknown, at: string): Generator<string> {
  if (typeof node !== 'object' || node === null) return
  for (const [name, member] of Object.entries(node)) {
    const place = `${at}/${escaped(name)}`
    const isSchema = name === 'schema' || at === '/components/schemas'
    if (isSchema) yield place
    else yield* schemasBelow(member, place)
  }
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
