import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { page, withOutput } from '../../scripts/cli-docs.ts'

const squeezed = (text: string): string => text.replace(/[ \t]+/g, ' ')

test('the page shows what the program prints', async () => {
  const markdown = readFileSync(page, 'utf8')
  expect(squeezed(await withOutput(markdown))).toBe(squeezed(markdown))
}, 120_000)
