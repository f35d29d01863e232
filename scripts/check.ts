import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const checks: { name: string; command: string }[] = [
  { name: 'types', command: 'tsc --noEmit' },
  { name: 'types of the page', command: 'tsc --noEmit -p web' },
  { name: 'lint and format', command: 'biome ci --colors=off --error-on-warnings .' },
  { name: 'unused code', command: 'knip' },
  { name: 'import levels', command: 'node scripts/import-levels.ts' },
  { name: 'docs links', command: 'node scripts/docs-links.ts' },
  { name: 'examples', command: 'node scripts/run-examples.ts' },
]

const failed: string[] = []
for (const { name, command } of checks) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(command, {
    cwd: root,
    env: { ...process.env, PATH },
    shell: true,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(5)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${seconds} s  ${name}`)
  if (status === 0) continue
  failed.push(name)
  console.log(`$ ${command}\n${stdout}${stderr}`)
}

if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
