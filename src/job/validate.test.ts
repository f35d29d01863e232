import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { OffloadError } from './errors.ts'
import { validate } from './payload.ts'

const schemas: [string, StandardSchemaV1][] = [
  ['Zod', z.object({ to: z.string(), items: z.array(z.object({ price: z.number() })) })],
  ['Valibot', v.object({ to: v.string(), items: v.array(v.object({ price: v.number() })) })],
  ['ArkType', type({ to: 'string', items: type({ price: 'number' }).array() })],
]

const good = { to: 'a@b.c', items: [{ price: 1 }] }
const bad = { to: 7, items: [{ price: 1 }, { price: 'much' }] }

const free = async (name: string): Promise<boolean> => name !== 'taken'
const asyncSchemas: [string, StandardSchemaV1<unknown, unknown>][] = [
  ['Zod', z.object({ name: z.string().refine(free, 'is taken') })],
  ['Valibot', v.objectAsync({ name: v.pipeAsync(v.string(), v.checkAsync(free, 'is taken')) })],
]

describe.each(schemas)('a schema of %s', (_, schema) => {
  test('passes what fits, at once', async () => {
    expect(validate(schema, good, 't')).toEqual(good)
  })

  test('lists every failing path', async () => {
    const error = expect.objectContaining({
      name: 'InputError',
      code: 'INPUT_INVALID',
      task: 'email.receipt',
      issues: expect.arrayContaining([
        { path: 'to', message: expect.any(String) },
        { path: 'items[1].price', message: expect.any(String) },
      ]),
      message: expect.stringMatching(/"email\.receipt".*items\[1\]\.price: /s),
    })
    expect(() => validate(schema, bad, 'email.receipt')).toThrow(error)
    await expect((async () => validate(schema, bad, 'email.receipt', 'INPUT_INVALID'))()).rejects.toEqual(
      error,
    )
  })

  test.each([undefined, null, 7, 'text', []])('refuses what is no object at all: %j', (input) => {
    expect(() => validate(schema, input, 't')).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })

  test('says that a result does not fit', async () => {
    await expect((async () => validate(schema, bad, 't', 'RESULT_INVALID'))()).rejects.toMatchObject({
      code: 'RESULT_INVALID',
      message: expect.stringContaining('the result of task "t"'),
    })
  })
})

describe.each(asyncSchemas)('an asynchronous schema of %s', (_, schema) => {
  test('passes what fits', async () => {
    expect(await validate(schema, { name: 'new' }, 't')).toEqual({ name: 'new' })
  })

  test('lists the failing path', async () => {
    const error = { code: 'INPUT_INVALID', issues: [{ path: 'name', message: 'is taken' }] }
    await expect(validate(schema, { name: 'taken' }, 't')).rejects.toMatchObject(error)
    await expect(
      (async () => validate(schema, { name: 'taken' }, 't', 'INPUT_INVALID'))(),
    ).rejects.toMatchObject(error)
  })
})

describe('the value after validation', () => {
  test('is what the schema made of the input', async () => {
    const schema = z.object({ at: z.coerce.date(), size: z.number().default(3) })
    expect(validate(schema, { at: 0, extra: 1 }, 't')).toEqual({ at: new Date(0), size: 3 })
  })

  test('shows a failing path of odd parts, and none for the whole', () => {
    const failing = (path?: (PropertyKey | { key: PropertyKey })[]): StandardSchemaV1 => ({
      '~standard': {
        version: 1,
        vendor: 'own',
        validate: () => ({ issues: [{ message: 'no', ...(path && { path }) }] }),
      },
    })
    const issues = [{ path: '["a b"][0].c', message: 'no' }]
    expect(() => validate(failing(['a b', 0, { key: 'c' }]), 1, 't')).toThrow(
      expect.objectContaining({ issues }),
    )
    expect(() => validate(failing(), 1, 't')).toThrow('schema: no')
    expect(() => validate(failing([Symbol('s')]), 1, 't')).toThrow(/Symbol\(s\)/)
  })
})

test('of very many faults the first hundred are told, each in few words', async () => {
  const many = z.object({ ['k'.repeat(5000)]: z.array(z.string()) })
  const input = { ['k'.repeat(5000)]: Array(20_000).fill(7) }
  const caught = await (async () => validate(many, input, 't'))().catch((error: unknown) => error)
  const { issues = [], message } = caught as OffloadError
  expect(issues).toHaveLength(100)
  expect(message).toMatch(/; and 19900 more$/)
  expect(JSON.stringify(issues).length + message.length).toBeLessThan(100_000)
})
