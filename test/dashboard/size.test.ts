import { expect, test } from 'vitest'
import { built } from '../../scripts/web.ts'

test('the page is at most 100 kB gzipped in all, and stands alone', async () => {
  const files = await built()
  const bytes = files.reduce((sum, { gzip }) => sum + gzip.length, 0)
  console.log(
    files.map(({ name, gzip }) => `${name}: ${gzip.length} bytes gzipped`).join('\n'),
    `\n${bytes} in all`,
  )
  expect(bytes).toBeLessThan(100_000)
  const html = files.find(({ name }) => name === 'index.html')?.bytes.toString() ?? ''
  expect(html).toMatch(/<script type="module"[^>]* src="\.\/assets\/[^"]+\.js"><\/script>/)
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|https?:|\son\w+=/)
  for (const { name, bytes: text } of files.filter(({ name }) => name.endsWith('.css')))
    expect(text.toString(), name).not.toMatch(/@import|url\((?!['"]?data:)/)
})
