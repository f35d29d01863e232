import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { clientBundle } from './fixtures/client-bundle.ts'

test('the client is under 4 kB minified and gzipped, and stands alone', async () => {
  const code = await clientBundle()
  const bytes = gzipSync(code, { level: 9 }).length
  console.log(`offload/client: ${code.length} characters minified, ${bytes} bytes gzipped`)
  expect(code).toContain('idempotency-key')
  expect(code).not.toMatch(/node:|\bimport\b|\brequire\(/)
  expect(bytes).toBeLessThan(4096)
})
