import { expect, test } from 'vitest'
import { placedAt } from './json-schema.ts'

const place = '#/components/schemas/tree'

test('what pointed to the root of a schema points to the place where it stands', () => {
  const schema = {
    type: 'object',
    properties: { next: { $ref: '#' }, leaf: { anyOf: [{ $ref: '#/$defs/leaf' }, { type: 'null' }] } },
    $defs: { leaf: { $ref: '#/$defs/other' }, other: {} },
  }
  expect(placedAt(place, schema)).toEqual({
    type: 'object',
    properties: {
      next: { $ref: place },
      leaf: { anyOf: [{ $ref: `${place}/$defs/leaf` }, { type: 'null' }] },
    },
    $defs: { leaf: { $ref: `${place}/$defs/other` }, other: {} },
  })
})

test('values and names of members that look like references stay as they are', () => {
  const schema = {
    properties: { $ref: { type: 'string' }, const: { $ref: '#/x' } },
    default: { $ref: '#/x' },
    enum: [{ $ref: '#/x' }],
  }
  expect(placedAt(place, schema)).toEqual({
    ...schema,
    properties: { $ref: { type: 'string' }, const: { $ref: `${place}/x` } },
  })
})

test('references to elsewhere, and schemas with an address of their own, stay as they are', () => {
  const own = { $id: 'https://x.example/own', properties: { a: { $ref: '#/properties/b' } } }
  expect(placedAt(place, own)).toBe(own)
  expect(placedAt(place, { allOf: [own, { $ref: 'https://x.example/own' }, { $ref: '#anchor' }] })).toEqual({
    allOf: [own, { $ref: 'https://x.example/own' }, { $ref: '#anchor' }],
  })
})

test('only a dialect other than that of OpenAPI is named', () => {
  const $schema = 'http://json-schema.org/draft-07/schema#'
  expect(placedAt(place, { $schema, type: 'null' })).toEqual({ $schema, type: 'null' })
  const usual = 'https://json-schema.org/draft/2020-12/schema'
  expect(placedAt(place, { $schema: usual, type: 'null' })).toEqual({ type: 'null' })
})
