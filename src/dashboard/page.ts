import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { Answer } from '../http/answer.ts'
import type { Ask } from '../http/ask.ts'
import { plainProblem } from '../http/problem.ts'
import { matches } from '../http/status.ts'

interface Held {
  readonly type: string
  readonly gzip: Buffer
  readonly etag: string
}

/** The files of the page. They are a module, so that a bundler takes them along; it is loaded when somebody looks. */
export class Page {
  #files: Promise<ReadonlyMap<string, Held>> | undefined

  /** `GET {base}/` and `GET {base}/assets/{name}`. */
  async answer(ask: Ask, name: string): Promise<Answer> {
    this.#files ??= load()
    const files = await this.#files.catch(() => undefined)
    if (files === undefined) {
      this.#files = undefined
      return plainProblem(503, 'The page is not built', 'in a checkout of Offload: node scripts/web.ts')
    }
    const file = files.get(name)
    return file === undefined ? plainProblem(404, 'Not Found') : sent(ask, name, file)
  }
}

async function load(): Promise<ReadonlyMap<string, Held>> {
  const { files } = await import('./page/files.js')
  return new Map(
    Object.entries(files).map(([name, { type, gzip }]) => {
      const bytes = Buffer.from(gzip, 'base64')
      const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
      return [name, { type, gzip: bytes, etag }]
    }),
  )
}

/** The names of assets tell what is in them. */
function sent(ask: Ask, name: string, { type, gzip, etag }: Held): Answer {
  const isAsset = name.startsWith('assets/')
  const headers = {
    'content-type': type,
    'cache-control': isAsset ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    etag,
    vary: 'Accept-Encoding',
  }
  const known = ask.header('if-none-match')
  if (known !== undefined && matches(known, etag)) return { status: 304, headers, body: undefined }
  if (/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(ask.header('accept-encoding') ?? ''))
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzip }
  return { status: 200, headers, body: gunzipSync(gzip) }
}
