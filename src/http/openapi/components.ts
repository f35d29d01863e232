import { STATUS_CODES } from 'node:http'
import type { ErrorCode } from '../../job/errors.ts'
import { errorCodes } from '../../job/errors.ts'
import { statusOf } from '../problem.ts'
import type { JsonSchema } from './json-schema.ts'
import { placedAt } from './json-schema.ts'
import { sharedHeaders, sharedSchemas } from './shared.ts'

export type Part = Readonly<Record<string, unknown>>

/** The codes of an absent backend: every one is a 503. */
const UNAVAILABLE: readonly ErrorCode[] = [
  'BACKEND_CORRUPT',
  'BACKEND_FULL',
  'BACKEND_NEWER',
  'BACKEND_READ_ONLY',
  'BACKEND_UNAVAILABLE',
  'CLOSED',
]

/** What the operations of one document share: each is written once, and only what is used. */
export class Components {
  readonly #schemas = new Map<string, JsonSchema>()
  readonly #responses = new Map<string, Part>()
  readonly #headers = new Map<string, Part>()

  /** Points to a schema of {@link sharedSchemas}. */
  schema(name: string): JsonSchema {
    const schema = sharedSchemas[name]
    if (schema !== undefined && !this.#schemas.has(name)) {
      this.#schemas.set(name, schema)
      for (const [, used = ''] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g))
        this.schema(used)
    }
    return { $ref: `#/components/schemas/${name}` }
  }

  /** Points to a schema of a user; another one of the same name gets a number. */
  own(name: string, schema: JsonSchema): JsonSchema {
    const plain = name.replaceAll(/[^\w.-]/g, '_')
    for (let number = 1; ; number++) {
      const unique = number === 1 ? plain : `${plain}${number}`
      const $ref = `#/components/schemas/${unique}`
      const placed = placedAt($ref, schema)
      const other = this.#schemas.get(unique)
      if (other !== undefined && JSON.stringify(other) !== JSON.stringify(placed)) continue
      this.#schemas.set(unique, placed)
      return { $ref }
    }
  }

  /** The schema that a reference of {@link own} points to. */
  target({ $ref }: JsonSchema): JsonSchema {
    return this.#schemas.get(String($ref).split('/').at(-1) ?? '') ?? {}
  }

  headers(...names: readonly string[]): Part {
    return Object.fromEntries(
      names.map((name) => {
        this.#headers.set(name, sharedHeaders[name] ?? {})
        return [name, { $ref: `#/components/headers/${name}` }]
      }),
    )
  }

  /** The answers that tell of these errors, by status, with those that every route can give. */
  problems(codes: readonly ErrorCode[]): Part {
    const byStatus = Map.groupBy([...codes, ...UNAVAILABLE], (code) =>
      UNAVAILABLE.includes(code) ? 503 : (statusOf[code] ?? 500),
    )
    const answers = [...byStatus].map(([status, sameStatus]) => [
      String(status),
      this.#response(nameOf(sameStatus), () => this.#problem(status, sameStatus)),
    ])
    return { ...Object.fromEntries(answers), default: this.#response('Problem', () => this.#anyProblem()) }
  }

  /** All that was pointed to. */
  get all(): Part {
    return {
      schemas: Object.fromEntries(this.#schemas),
      responses: Object.fromEntries(this.#responses),
      headers: Object.fromEntries(this.#headers),
    }
  }

  #response(name: string, make: () => Part): Part {
    if (!this.#responses.has(name)) this.#responses.set(name, make())
    return { $ref: `#/components/responses/${name}` }
  }

  #problem(status: number, codes: readonly ErrorCode[]): Part {
    const canRetry =
      status === 503 || codes.includes('RESULT_PENDING') || codes.includes('IDEMPOTENCY_IN_USE')
    return {
      description: `${STATUS_CODES[status]}. ${codes.map((code) => `\`${code}\`: ${errorCodes[code]}`).join(' ')}`,
      ...(canRetry ? { headers: this.headers('Retry-After') } : {}),
      content: {
        'application/problem+json': {
          schema: {
            allOf: [
              this.schema('Problem'),
              {
                type: 'object',
                properties: { status: { const: status }, code: { enum: codes } },
                required: ['code'],
              },
            ],
          },
        },
      },
    }
  }

  #anyProblem(): Part {
    return {
      description:
        'Whatever else is refused: by a hook of this server, by the framework around it, or by a fault on its side.',
      content: { 'application/problem+json': { schema: this.schema('Problem') } },
    }
  }
}

/** `JobEnded`, `BodyTooLargeOrPayloadTooLarge`: the same for the same codes, whatever else is in the document. */
function nameOf(codes: readonly ErrorCode[]): string {
  const names = codes.filter((code) => !UNAVAILABLE.includes(code)).map(pascal)
  return [...names, ...(names.length < codes.length ? ['Unavailable'] : [])].join('Or')
}

export function pascal(text: string): string {
  return text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => {
      const rest = word.slice(1)
      return word.slice(0, 1).toUpperCase() + (word === word.toUpperCase() ? rest.toLowerCase() : rest)
    })
    .join('')
}
