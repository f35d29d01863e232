import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/reference/http.md'), 'utf8')

/** The last column of each rule. */
const cells = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| rule |'))
  .map((line) => line.split('|').at(-2)?.trim() ?? '')

test('every rule of the reference is held by a test of that name', () => {
  expect(cells.length).toBeGreaterThan(50)
  const missing = cells.filter((cell) => {
    const [, path = '', name = ''] = /^`([\w./-]+\.test\.ts)` › (.+)$/.exec(cell) ?? []
    return path === '' || !names(path).includes(name)
  })
  expect(missing).toEqual([])
})

/** The names of the tests of a file, as they are written. */
function names(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/^\s*test(?:\.\w+\([^)]*\))?\(\s*(['`])(.+?)\1,/gm)].map(([, , name = '']) => name)
}
