import { OffloadError } from '../job/errors.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'

/** A route as a framework of its own routing registers it: `{id}` stands for one segment. */
export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly summary: string
  readonly answer: (ask: Ask, id: string) => Answer | Promise<Answer>
}

export function methodsOf(routes: readonly Route[]): string[] {
  return routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}

/** @throws OPTION_INVALID */
export function checkDistinct(routes: readonly Route[]): void {
  const seen = new Set<string>()
  for (const { method, path } of routes) {
    const name = `${method} ${path}`
    if (seen.has(name))
      throw new OffloadError('OPTION_INVALID', `two routes are ${name}: give one of them another path`)
    seen.add(name)
  }
}

/** @throws OPTION_INVALID */
export function checkPath(path: string, option: string): string {
  if (/^(?:\/[A-Za-z0-9._~-]+)+$/.test(path)) return path
  throw new OffloadError(
    'OPTION_INVALID',
    `${option} takes a path such as '/reports': segments of letters, digits and . _ ~ -, without a slash at the end`,
  )
}
