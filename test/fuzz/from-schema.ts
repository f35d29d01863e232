import fc from 'fast-check'

type Node = Readonly<Record<string, unknown>>

/** Values that fit a schema, as far as its keywords are known here. */
export function fitting(schema: Node, document: Node, depth = 0): fc.Arbitrary<unknown> {
  if (typeof schema.$ref === 'string') return fitting(resolved(schema.$ref, document), document, depth + 1)
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.anyOf))
    return fc.oneof(...schema.anyOf.map((one) => fitting(one as Node, document, depth + 1)))
  switch (schema.type) {
    case 'object':
      return objects(schema, document, depth)
    case 'array':
      if (depth > 6) return fc.constant([])
      return fc.array(fitting((schema.items ?? {}) as Node, document, depth + 1), { maxLength: 4 })
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: Math.min(Number(schema.maxLength ?? 30), 300) })
    case 'integer':
      return fc.integer({ min: Number(schema.minimum ?? -9), max: Number(schema.maximum ?? 1000) })
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'boolean':
      return fc.boolean()
    default:
      return fc.jsonValue()
  }
}

function objects(
  { properties = {}, required = [] }: Node,
  document: Node,
  depth: number,
): fc.Arbitrary<unknown> {
  const members = Object.entries(properties as Readonly<Record<string, Node>>).map(
    ([name, member]): [string, fc.Arbitrary<unknown>] => [name, fitting(member, document, depth + 1)],
  )
  return fc.record(Object.fromEntries(members), { requiredKeys: required as never[] })
}

export function resolved(ref: string, document: Node): Node {
  let node: unknown = document
  for (const part of ref.split('/').slice(1))
    node = (node as Node)[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  return node as Node
}
