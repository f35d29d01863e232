import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'

const pages = ['*.md', 'docs/**/*.md', 'examples/**/*.md', 'benchmarks/**/*.md']
const errorsSource = 'src/job/errors.ts'
const errorsPage = 'docs/reference/errors.md'

const withoutFences = (markdown: string): string =>
  markdown.replace(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2[`~]* *$/gm, '').replace(/<!--[\s\S]*?-->/g, '')

const withoutCode = (markdown: string): string => withoutFences(markdown).replace(/(`+)[^`][\s\S]*?\1/g, '')

/** The anchor GitHub gives a heading: its text in lower case, punctuation dropped, spaces as hyphens. */
export function slug(heading: string): string {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]+>/g, '')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}

const headingsOf = (markdown: string): string[] =>
  [...withoutFences(markdown).matchAll(/^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$/gm)].map(([, text = '']) => text)

/** Every anchor of a page; a heading that comes again gets -1, -2 and so on. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  const seen = new Map<string, number>()
  for (const heading of headingsOf(markdown)) {
    const base = slug(heading)
    const times = seen.get(base) ?? 0
    seen.set(base, times + 1)
    anchors.add(times === 0 ? base : `${base}-${times}`)
  }
  for (const [, id = ''] of withoutCode(markdown).matchAll(/<[a-z]+\s[^>]*\b(?:id|name)="([^"]+)"/gi))
    anchors.add(id)
  return anchors
}

/** The targets of inline links, images, reference definitions and HTML links. */
export function linksOf(markdown: string): string[] {
  const text = withoutCode(markdown)
  const forms = [
    /\]\(\s*<?([^\s)>]+)>?(?:\s+["'][^)]*)?\)/g,
    /^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm,
    /\b(?:href|src)="([^"]+)"/g,
  ]
  return forms.flatMap((form) => [...text.matchAll(form)].map(([, target = '']) => target))
}

const isExternal = (link: string): boolean => /^[a-z][a-z0-9+.-]*:|^\/\//i.test(link)

function linkProblem(root: string, page: string, link: string): string | undefined {
  if (isExternal(link)) return
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? join(root, page) : join(root, dirname(page), decodeURIComponent(path))
  if (relative(root, target).startsWith('..')) return `${page} links to ${link}, outside the repository.`
  if (!existsSync(target)) return `${page} links to ${link}, which does not exist.`
  if (!anchor || !target.endsWith('.md')) return
  if (anchorsOf(readFileSync(target, 'utf8')).has(decodeURIComponent(anchor))) return
  return `${page} links to ${link}, but no heading there has that anchor.`
}

const pagesBelow = (root: string): string[] =>
  globSync(pages, { cwd: root, exclude: (name) => name === 'node_modules' })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()

/** The relative links of all pages that lead nowhere, one sentence each. */
export function linkProblems(root: string): string[] {
  return pagesBelow(root).flatMap((page) => {
    const links = linksOf(readFileSync(join(root, page), 'utf8'))
    return links.flatMap((link) => linkProblem(root, page, link) ?? [])
  })
}

/** The fenced blocks that say which file they are taken from, and are not in it. */
export function excerptProblems(root: string): string[] {
  return pagesBelow(root).flatMap((page) => {
    const markdown = readFileSync(join(root, page), 'utf8')
    return [...markdown.matchAll(/^<!-- (\S+\.\w+) -->\n```\w*\n([\s\S]*?)^```$/gm)].flatMap(
      ([, path = '', code = '']) => {
        if (!existsSync(join(root, path))) return [`${page} shows ${path}, which does not exist.`]
        if (readFileSync(join(root, path), 'utf8').includes(code)) return []
        return [`${page} shows lines of ${path} that are not in it: ${code.trim().split('\n', 1)[0]}`]
      },
    )
  })
}

/** The error codes that the reference leaves out, and those it still has but the source does not. */
export async function errorCodeProblems(root: string): Promise<string[]> {
  if (!existsSync(join(root, errorsSource))) return []
  const source = await import(pathToFileURL(join(root, errorsSource)).href)
  if (!source.errorCodes) return [`${errorsSource} exports no errorCodes.`]
  if (!existsSync(join(root, errorsPage))) return [`${errorsPage} does not exist.`]
  const codes = Object.keys(source.errorCodes)
  const page = withoutFences(readFileSync(join(root, errorsPage), 'utf8'))
  const documented = [...page.matchAll(/^### `?([A-Za-z0-9_.-]+)`?\s*$/gm)].map(([, code = '']) => code)
  const missing = codes.filter((code) => !documented.includes(code))
  const stale = documented.filter((code) => /^[A-Z0-9]+_[A-Z0-9_]+$/.test(code) && !codes.includes(code))
  return [
    ...missing.map((code) => `${errorsPage} has no heading "### ${code}".`),
    ...stale.map((code) => `${errorsPage} describes ${code}, which ${errorsSource} does not export.`),
  ]
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  const problems = [...linkProblems(root), ...excerptProblems(root), ...(await errorCodeProblems(root))]
  for (const problem of problems) console.error(problem)
  console.log(`${pagesBelow(root).length} pages, ${problems.length} problems`)
  if (problems.length > 0) process.exitCode = 1
}
