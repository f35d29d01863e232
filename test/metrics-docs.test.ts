import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { page, withTable } from '../scripts/metrics-docs.ts'
import { instrumentNames } from '../src/observe/metrics/instruments.ts'

test('the page lists every metric as it is measured', () => {
  const markdown = readFileSync(page, 'utf8')
  expect(withTable(markdown)).toBe(markdown)
  for (const name of instrumentNames) expect(markdown).toContain(`| \`${name}\` |`)
})
