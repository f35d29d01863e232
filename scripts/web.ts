import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import config from '../web/vite.config.ts'

const root = join(import.meta.dirname, '..')
const output = join(root, 'src/dashboard/page/files.js')

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

export interface Built {
  readonly name: string
  readonly bytes: Buffer
  readonly gzip: Buffer
}

/** Makes the page of web/ a module of the dashboard, unless it is that already. True when it was made. */
export async function buildPage(): Promise<boolean> {
  const mark = `// ${sources()}`
  if (existsSync(output) && readFileSync(output, 'utf8').startsWith(mark)) return false
  const entries = (await built()).map(({ name, gzip }) => {
    const type = types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
    return `  ${JSON.stringify(name)}: { type: ${JSON.stringify(type)}, gzip: '${gzip.toString('base64')}' },`
  })
  const own = `${output}.${process.pid}`
  writeFileSync(own, `${mark}\nexport const files = {\n${entries.join('\n')}\n}\n`)
  renameSync(own, output)
  return true
}

/** The files of the page as a browser gets them. */
export async function built(): Promise<Built[]> {
  const result = await build(config)
  return [result]
    .flat()
    .flatMap((one) => ('output' in one ? one.output : []))
    .map((file) => {
      const bytes = Buffer.from(file.type === 'chunk' ? file.code : file.source)
      return { name: file.fileName, bytes, gzip: gzipSync(bytes, { level: 9 }) }
    })
}

/** What the page is made of, as one name. */
function sources(): string {
  const hash = createHash('sha256')
  const paths = [...globSync('web/**/*.*', { cwd: root }), 'package-lock.json', 'scripts/web.ts'].sort()
  for (const path of paths) hash.update(path).update(readFileSync(join(root, path)))
  return hash.digest('hex')
}

if (import.meta.main) {
  console.log((await buildPage()) ? 'the page is built' : 'the page is as it was')
  const [folder] = process.argv.slice(2)
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true })
    copyFileSync(output, join(folder, basename(output)))
  }
}
