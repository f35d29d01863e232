import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test('the code of the guide to testing is code of the example, which runs', () => {
  const example = read('examples/testing/orders.test.ts')
  const blocks = [...read('docs/guide/testing.md').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
  expect(blocks).toHaveLength(6)
  for (const block of blocks) expect(example).toContain(block)
})
