import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  anchorsOf,
  errorCodeProblems,
  excerptProblems,
  linkProblems,
  linksOf,
  slug,
} from '../scripts/docs-links.ts'

function repositoryWith(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'offload-docs-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

test('a heading gets the anchor that GitHub gives it', () => {
  expect(slug('What `run()` returns, & why?')).toBe('what-run-returns--why')
  expect(slug('The [queue](queue.md)')).toBe('the-queue')
  expect(slug('JOB_NOT_FOUND')).toBe('job_not_found')
})

test('a heading that comes twice gets a number', () => {
  expect([...anchorsOf('# A\n## B\n## B\n')]).toEqual(['a', 'b', 'b-1'])
})

test('a link inside code is no link', () => {
  expect(linksOf('[a](a.md) `[b](b.md)`\n\n```md\n[c](c.md)\n```\n')).toEqual(['a.md'])
})

test('a link to a missing file or heading is named, a good one is not', () => {
  const root = repositoryWith({
    'README.md':
      '[a](docs/a.md#part) [b](docs/b.md) [c](docs/a.md#gone) [d](#here) [e](https://example.com/x)\n\n# Here\n',
    'docs/a.md': '# A\n\n## Part\n\n[up](../README.md#here)\n',
  })
  expect(linkProblems(root)).toEqual([
    'README.md links to docs/b.md, which does not exist.',
    'README.md links to docs/a.md#gone, but no heading there has that anchor.',
  ])
})

test('an error code without a heading is named, and so is a heading without its code', async () => {
  const root = repositoryWith({
    'package.json': '{ "type": "module" }',
    'src/job/errors.ts': "export const errorCodes = { JOB_LOST: 'a', JOB_LATE: 'b' } as const\n",
    'docs/reference/errors.md': '### JOB_LOST\n\n### JOB_OLD\n',
  })
  expect(await errorCodeProblems(root)).toEqual([
    'docs/reference/errors.md has no heading "### JOB_LATE".',
    'docs/reference/errors.md describes JOB_OLD, which src/job/errors.ts does not export.',
  ])
})

test('an excerpt that is no longer in its file is named, one that is there is not', () => {
  const root = repositoryWith({
    'examples/a.ts': 'const a = 1\nconst b = 2\n',
    'docs/a.md':
      '<!-- examples/a.ts -->\n```ts\nconst b = 2\n```\n\n<!-- examples/a.ts -->\n```ts\nconst c = 3\n```\n\n<!-- examples/b.ts -->\n```ts\nx\n```\n',
  })
  expect(excerptProblems(root)).toEqual([
    'docs/a.md shows lines of examples/a.ts that are not in it: const c = 3',
    'docs/a.md shows examples/b.ts, which does not exist.',
  ])
})
