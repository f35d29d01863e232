import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** One folder (ends with a slash) or one file, and what of its own level it may import besides itself. */
interface Unit {
  path: string
  level: number
  alsoImports?: string[]
}

/** The lowest level first. A unit imports lower levels, itself, and what `alsoImports` names. */
export const units: Unit[] = [
  { path: 'src/clock.ts', level: 0 },
  { path: 'src/log.ts', level: 0, alsoImports: ['src/secrets.ts'] },
  { path: 'src/version.ts', level: 0 },
  { path: 'src/secrets.ts', level: 0 },
  { path: 'src/batch.ts', level: 0 },
  { path: 'src/autoscale/policy/', level: 0 },
  { path: 'src/job/', level: 0, alsoImports: ['src/duration.ts'] },
  { path: 'src/duration.ts', level: 0, alsoImports: ['src/job/'] },
  { path: 'src/positive.ts', level: 0, alsoImports: ['src/job/'] },

  { path: 'src/task.ts', level: 1, alsoImports: ['src/documents.ts'] },
  { path: 'src/broker.ts', level: 1, alsoImports: ['src/ledger.ts'] },
  { path: 'src/ledger.ts', level: 1, alsoImports: ['src/broker.ts'] },
  { path: 'src/documents.ts', level: 1 },
  { path: 'src/observe/', level: 2 },
  { path: 'src/backend.ts', level: 1, alsoImports: ['src/broker.ts', 'src/ledger.ts', 'src/documents.ts'] },

  { path: 'src/backends/', level: 2 },

  { path: 'src/presence/', level: 2 },
  { path: 'src/producer/', level: 3 },
  { path: 'src/worker/', level: 3 },
  { path: 'src/reading/', level: 3 },
  { path: 'src/schedule/', level: 3, alsoImports: ['src/producer/'] },

  { path: 'src/options.ts', level: 3, alsoImports: ['src/schedule/'] },

  { path: 'src/lazy-backend.ts', level: 2 },
  { path: 'src/handle.ts', level: 4 },
  { path: 'src/steering.ts', level: 4, alsoImports: ['src/handle.ts'] },
  { path: 'src/offload.ts', level: 4, alsoImports: ['src/handle.ts', 'src/steering.ts'] },

  { path: 'src/http/', level: 5 },
  { path: 'src/alerts/', level: 5 },
  { path: 'src/testing/', level: 5 },
  { path: 'src/autoscale/', level: 5, alsoImports: ['src/http/'] },
  { path: 'src/client/', level: 6 },
  { path: 'src/migrate/', level: 4 },
  { path: 'src/dashboard/', level: 6 },
  { path: 'src/cli/', level: 7 },

  { path: 'src/index.ts', level: 6 },
]

/** Pure folders: no `node:*` import here, so neither I/O nor randomness. */
export const pureFolders: string[] = ['src/job/', 'src/autoscale/policy/']

/** The subfolders of these do not know each other; only `registry` reaches them, by `import()`. */
export const separateFolders: { parent: string; registry: string }[] = [
  { parent: 'src/backends/', registry: 'src/backends/registry.ts' },
]

export type Sources = Map<string, string>

type ImportKind = 'value' | 'type' | 'dynamic'

interface Import {
  from: string
  specifier: string
  kind: ImportKind
}

const bindings = String.raw`(?:[\w$]+\s*,?\s*)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})?\s*from\s*`
const staticImport = new RegExp(`^(?:import|export)\\s+(?:(type)\\s+)?(?:${bindings})?['"]([^'"]+)['"]`, 'gm')
const dynamicImport = /\bimport\(\s*['"]([^'"]+)['"]/g
const commentLine = /^\s*(?:\/\/|\/?\*).*$/gm

/** The imports of one file. It relies on the formatter: a static import starts its line. */
export function importsOf(from: string, text: string): Import[] {
  const code = text.replace(commentLine, '')
  const found: Import[] = []
  for (const [, type, specifier = ''] of code.matchAll(staticImport))
    found.push({ from, specifier, kind: type === undefined ? 'value' : 'type' })
  for (const [, specifier = ''] of code.matchAll(dynamicImport))
    found.push({ from, specifier, kind: 'dynamic' })
  return found
}

const unitOf = (path: string): Unit | undefined =>
  units.find((unit) => (unit.path.endsWith('/') ? path.startsWith(unit.path) : path === unit.path))

const targetOf = (found: Import): string =>
  posix.normalize(posix.join(posix.dirname(found.from), found.specifier))

function levelProblem(found: Import): string | undefined {
  const target = targetOf(found)
  const importer = unitOf(found.from)
  const imported = unitOf(target)
  if (!importer) return
  if (!imported) return `${found.from} imports ${target}, which has no level.`
  if (imported === importer || imported.level < importer.level) return
  if (importer.alsoImports?.includes(imported.path)) return
  return `${found.from} (level ${importer.level}) imports ${target} (level ${imported.level}): imports point downwards.`
}

function separationProblem(found: Import): string | undefined {
  const target = targetOf(found)
  for (const { parent, registry } of separateFolders) {
    if (!found.from.startsWith(parent) || !target.startsWith(parent)) continue
    const targetFolder = posix.dirname(target.slice(parent.length)).split('/')[0]
    const ownFolder = posix.dirname(found.from.slice(parent.length)).split('/')[0]
    if (targetFolder === '.' || targetFolder === ownFolder) continue
    if (found.from === registry && found.kind === 'dynamic') continue
    return `${found.from} imports ${target}: only ${registry} reaches it, by import().`
  }
}

function packageProblem(found: Import): string | undefined {
  const { from, specifier } = found
  if (specifier === 'offload' || specifier.startsWith('offload/'))
    return `${from} imports ${specifier}, the package it is part of: import the file.`
  if (specifier.startsWith('node:') && pureFolders.some((folder) => from.startsWith(folder)))
    return `${from} imports ${specifier}: its folder is pure, so pass the value in as an argument.`
}

/** Every circle of value imports, each once, as the path around it. */
function cycles(imports: Import[]): string[] {
  const edges = new Map<string, string[]>()
  for (const found of imports) {
    if (found.kind !== 'value' || !found.specifier.startsWith('.')) continue
    edges.set(found.from, [...(edges.get(found.from) ?? []), targetOf(found)])
  }
  const problems: string[] = []
  const done = new Set<string>()
  const visit = (file: string, trail: string[]): void => {
    const start = trail.indexOf(file)
    if (start >= 0) {
      problems.push(`Import cycle: ${[...trail.slice(start), file].join(' -> ')}.`)
      return
    }
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return problems
}

/** What breaks the rules above, one sentence each. */
export function importProblems(sources: Sources): string[] {
  const imports = [...sources].flatMap(([path, text]) => importsOf(path, text))
  const homeless = [...sources.keys()].filter((path) => !unitOf(path))
  return [
    ...homeless.map((path) => `${path} has no level: add it to the table in scripts/import-levels.ts.`),
    ...imports.flatMap((found) => {
      const problem = found.specifier.startsWith('.')
        ? (levelProblem(found) ?? separationProblem(found))
        : packageProblem(found)
      return problem ?? []
    }),
    ...cycles(imports),
  ]
}

/** The source files below `root`, tests left out, by their path from there. */
export function readSources(root: string): Sources {
  const paths = globSync('src/**/*.ts', { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !/\.test(-d)?\.ts$/.test(path))
    .sort()
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

if (import.meta.main) {
  const sources = readSources(join(import.meta.dirname, '..'))
  const problems = importProblems(sources)
  for (const problem of problems) console.error(problem)
  console.log(`${sources.size} source files, ${problems.length} problems`)
  if (problems.length > 0) process.exitCode = 1
}
