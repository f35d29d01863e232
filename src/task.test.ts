import { type } from 'arktype'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { task } from './task.ts'

const input = z.object({ customer: z.string() })
const run = (): number => 1

/** Options as plain JavaScript could pass them. */
const define = (options: unknown, name: unknown = 't'): unknown =>
  task(name as string, options as Parameters<typeof task>[1])

describe('a task', () => {
  test('has its defaults', () => {
    expect(task('email.receipt', { input, run })).toMatchObject({
      name: 'email.receipt',
      queue: 'default',
      priority: 4,
      retry: { attempts: 5, baseMs: 1000, maxMs: 600_000 },
      timeoutMs: undefined,
      isolate: undefined,
      output: undefined,
    })
  })

  test('keeps what it was told', () => {
    const made = task('t', {
      input,
      output: z.number(),
      queue: 'mail',
      priority: 9,
      retry: { attempts: 2 },
      timeout: '30s',
      isolate: 'thread',
      module: 'file:///t.js',
      run,
    })
    expect(made).toMatchObject({ queue: 'mail', priority: 9, timeoutMs: 30_000, isolate: 'thread' })
    expect(made.retry.attempts).toBe(2)
  })

  test('takes a schema that is a function', () => {
    expect(task('t', { input: type({ a: 'string' }), run }).name).toBe('t')
  })

  test('knows the key of a job: none, one for all, or one by its input', () => {
    expect(task('t', { input, run }).keyOf({ customer: 'a' })).toBeUndefined()
    expect(task('t', { input, key: 'one', run }).keyOf({ customer: 'a' })).toBe('one')
    expect(task('t', { input, key: ({ customer }) => customer, run }).keyOf({ customer: 'a' })).toBe('a')
  })
})

describe('a task is refused', () => {
  test.each<[string, unknown, RegExp]>([
    ['without options', undefined, /run\(input, job\)/],
    ['without a handler', { input }, /run\(input, job\)/],
    ['with a handler that is no function', { input, run: 'run' }, /run\(input, job\)/],
    ['without a schema', { run }, /input schema/],
    ['with a schema that is none', { input: { type: 'object' }, run }, /input schema/],
    ['with a null schema', { input: null, run }, /input schema/],
    ['with an output that is no schema', { input, output: {}, run }, /output/],
    ['with a null output', { input, output: null, run }, /output/],
    ['with a queue that has no usable name', { input, queue: '../x', run }, /queue name/],
    ['with an empty queue', { input, queue: '', run }, /queue name/],
    ['with a priority off the scale', { input, priority: 10, run }, /priority/],
    ['with no attempts', { input, retry: { attempts: 0 }, run }, /retry\.attempts/],
    ['with a wait that is none', { input, retry: { base: 'soon' }, run }, /retry\.base/],
    ['with a timeout that is none', { input, timeout: 'late', run }, /timeout/],
    ['with an empty key', { input, key: '', run }, /key/],
    ['with a key that is no text', { input, key: 7, run }, /key/],
    ['with an unknown isolation', { input, isolate: 'fiber', module: 'm', run }, /isolate/],
    ['isolated without its module', { input, isolate: 'process', run }, /import\.meta\.url/],
  ])('%s', (_, options, message) => {
    expect(() => define(options)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(message) }),
    )
  })

  test.each(['', '__proto__', '../x', 'a b', 'x'.repeat(121), undefined, Object.create(null)])(
    'with a name that cannot be used (%#)',
    (name) => {
      const wrong = name === undefined ? null : name
      expect(() => define({ input, run }, wrong)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    },
  )
})
