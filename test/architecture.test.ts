import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importProblems, readSources } from '../scripts/import-levels.ts'

const problemsOf = (files: Record<string, string>): string[] => importProblems(new Map(Object.entries(files)))

describe('the sources', () => {
  test('import only downwards, without a cycle', () => {
    expect(importProblems(readSources(join(import.meta.dirname, '..')))).toEqual([])
  })
})

describe('the import check', () => {
  test('passes an import of a lower level', () => {
    expect(problemsOf({ 'src/offload.ts': "import { run } from './worker/run.ts'\n" })).toEqual([])
  })

  test('names both files of an import that points upwards', () => {
    expect(problemsOf({ 'src/worker/run.ts': "import type { Offload } from '../offload.ts'\n" })).toEqual([
      'src/worker/run.ts (level 3) imports src/offload.ts (level 4): imports point downwards.',
    ])
  })

  test('sees an import that spans lines and one that re-exports', () => {
    const text =
      "import {\n  a,\n  b,\n} from '../worker/a.ts'\n\nexport const c = a\nexport { d } from '../reading/d.ts'\n"
    expect(problemsOf({ 'src/producer/x.ts': text })).toHaveLength(2)
  })

  test('does not read an example in a comment as an import', () => {
    expect(problemsOf({ 'src/task.ts': "/**\n * import { offload } from 'offload'\n */\n" })).toEqual([])
  })

  test('refuses a folder that no level names', () => {
    expect(problemsOf({ 'src/helpers/x.ts': '' })).toEqual([
      'src/helpers/x.ts has no level: add it to the table in scripts/import-levels.ts.',
    ])
  })

  test('keeps one backend out of another', () => {
    const text = "import { open } from '../sqlite/open.ts'\n"
    expect(problemsOf({ 'src/backends/memory/index.ts': text })).toEqual([
      'src/backends/memory/index.ts imports src/backends/sqlite/open.ts: only src/backends/registry.ts reaches it, by import().',
    ])
  })

  test('lets the registry reach a backend by import() alone', () => {
    const registry = 'src/backends/registry.ts'
    expect(problemsOf({ [registry]: "const load = () => import('./sqlite/index.ts')\n" })).toEqual([])
    expect(problemsOf({ [registry]: "import { open } from './sqlite/index.ts'\n" })).toHaveLength(1)
  })

  test('keeps node modules out of the pure folder', () => {
    expect(problemsOf({ 'src/job/id.ts': "import { randomUUID } from 'node:crypto'\n" })).toEqual([
      'src/job/id.ts imports node:crypto: its folder is pure, so pass the value in as an argument.',
    ])
  })

  test('shows the way round a cycle of values, and passes one of types', () => {
    const back = "import { a } from './a.ts'\n"
    const forth = "import { b } from './b.ts'\n"
    expect(problemsOf({ 'src/worker/a.ts': forth, 'src/worker/b.ts': back })).toEqual([
      'Import cycle: src/worker/a.ts -> src/worker/b.ts -> src/worker/a.ts.',
    ])
    const typeBack = back.replace('import', 'import type')
    expect(problemsOf({ 'src/worker/a.ts': forth, 'src/worker/b.ts': typeBack })).toEqual([])
  })
})
