import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { page, withAnswers } from '../../scripts/curl-docs.ts'

const isInstalled = spawnSync('curl', ['--version']).status === 0
if (!isInstalled)
  console.warn('SKIPPED: no curl is installed, so the guide is not compared with what it prints')

/** How far a job is when a stream begins, and which of its steps are told, is a matter of milliseconds. */
function comparable(markdown: string): string {
  return markdown
    .replaceAll(/^id: \d+\nevent: (?:started|progress)\ndata: .*\n\n/gm, '')
    .replaceAll(/^id: \d+$/gm, 'id: 1')
    .replaceAll(/^(event: state\ndata: ).*$/gm, '$1{}')
}

test.skipIf(!isInstalled)(
  'the guide shows what its server answers',
  async () => {
    const markdown = readFileSync(page, 'utf8')
    expect(comparable(await withAnswers(markdown))).toBe(comparable(markdown))
    expect(markdown).toContain('event: progress')
  },
  60_000,
)
