import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

/** A JSON Schema of draft 2020-12, as OpenAPI 3.1 takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

/** What a schema takes or gives, as Standard JSON Schema tells it; undefined when its library cannot, or not for this schema. */
export function jsonSchemaOf(
  schema: StandardSchemaV1 | undefined,
  side: 'input' | 'output',
): JsonSchema | undefined {
  const standard: Partial<StandardJSONSchemaV1.Props> | undefined = schema?.['~standard']
  try {
    return standard?.jsonSchema?.[side]({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
}

/** The same schema to stand at this place of a document: what pointed to its own root points there. */
export function placedAt(place: string, schema: JsonSchema): JsonSchema {
  if (typeof schema.$id === 'string') return schema
  const { $schema, ...rest } = moved(schema, place) as JsonSchema
  return $schema === undefined || $schema === DIALECT ? rest : { $schema, ...rest }
}

/** Members that hold values, in which nothing is a schema. */
const VALUES = new Set(['const', 'default', 'enum', 'example', 'examples'])
/** Members whose members have names of the user's, and are schemas each. */
const NAMED = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'])

function moved(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((member) => moved(member, place))
  if (typeof schema !== 'object' || schema === null || '$id' in schema) return schema
  return mapped(schema, (value, name) => {
    if (VALUES.has(name)) return value
    if (name === '$ref') return typeof value === 'string' ? value.replace(/^#(?=\/|$)/, place) : value
    if (NAMED.has(name) && typeof value === 'object' && value !== null)
      return mapped(value, (member) => moved(member, place))
    return moved(value, place)
  })
}

function mapped(members: object, change: (value: unknown, name: string) => unknown): JsonSchema {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, change(value, name)]))
}
