/** One member of an input, as a form asks for it. */
export interface FieldShape {
  readonly name: string
  readonly label: string
  readonly help: string | undefined
  readonly isRequired: boolean
  /** `json`: what is too rich for an input of its own. */
  readonly kind: 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'json'
  readonly choices: readonly string[]
  /** The keys that a phone shows. */
  readonly keys: 'text' | 'email' | 'url' | 'decimal'
  readonly initial: string
}

type Schema = Readonly<Record<string, unknown>>

/** The fields of a form; undefined where the schema is not of an object whose members are known. */
export function fieldsOf(schema: Schema | undefined): readonly FieldShape[] | undefined {
  const { type, properties, required } = schema ?? {}
  if (type !== 'object' || typeof properties !== 'object' || properties === null) return undefined
  const names = Array.isArray(required) ? (required as readonly unknown[]) : []
  return Object.entries(properties).map(([name, member]) =>
    fieldOf(name, asSchema(member), names.includes(name)),
  )
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): FieldShape {
  const { title, description, enum: values } = schema
  const initial = schema.default === undefined ? '' : written(schema.default)
  const shared = {
    name,
    label: typeof title === 'string' ? title : name,
    help: typeof description === 'string' ? description : undefined,
    isRequired: isRequired && schema.default === undefined,
    choices: [],
    keys: 'text',
    initial,
  } as const
  if (Array.isArray(values) && values.every((value) => typeof value === 'string'))
    return { ...shared, kind: 'choice', choices: values }
  switch (schema.type) {
    case 'string':
      return { ...shared, kind: 'text', keys: keysOf(schema.format) }
    case 'number':
    case 'integer':
      return { ...shared, kind: schema.type, keys: 'decimal' }
    case 'boolean':
      return { ...shared, kind: 'boolean' }
    default:
      return { ...shared, kind: 'json' }
  }
}

function keysOf(format: unknown): FieldShape['keys'] {
  if (format === 'email') return 'email'
  return format === 'uri' ? 'url' : 'text'
}

function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function asSchema(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? (value as Schema) : {}
}
