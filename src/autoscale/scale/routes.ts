import type { Answer } from '../../http/answer.ts'
import { toResponse } from '../../http/answer.ts'
import { plainProblem, problemOf } from '../../http/problem.ts'
import type { ScaleAnswer } from './answer.ts'
import { gauges } from './gauges.ts'
import type { Scaler, Words } from './scaler.ts'

/**
 * A web-standard handler: `/scale` in JSON, for KEDA's metrics-api and whoever else asks; `/metrics` for Prometheus; `/livez` and
 * `/readyz`. The query may put other values in place of the options: `/scale?queues=mail&max=4`. Undefined for any other path.
 */
export function scaleRoutes(scaler: Scaler): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const { pathname, searchParams } = new URL(request.url)
    const answer = answers[pathname]
    if (answer === undefined) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return toResponse(withAllow(plainProblem(405, 'Method Not Allowed')))
    try {
      return toResponse(await answer(scaler, [...searchParams]))
    } catch (error) {
      return toResponse(problemOf(error))
    }
  }
}

const answers: Readonly<Record<string, (scaler: Scaler, words: Words) => Answer | Promise<Answer>>> = {
  '/scale': async (scaler, words) => json(await scaler.answer(words)),
  '/metrics': async (scaler, words) =>
    text(gauges(await scaler.answer(words)), 'text/plain; version=0.0.4; charset=utf-8'),
  '/livez': () => text('ok\n'),
  '/readyz': async (scaler) => {
    const { blind } = await scaler.answer()
    return blind === undefined
      ? text('ok\n')
      : plainProblem(503, 'Service Unavailable', 'the queues cannot be measured now')
  },
}

const json = (body: ScaleAnswer): Answer => answer(body, 'application/json')
const text = (body: string, type = 'text/plain; charset=utf-8'): Answer => answer(body, type)

function answer(body: object | string, type: string): Answer {
  return { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store' }, body }
}

function withAllow({ headers, ...rest }: Answer): Answer {
  return { ...rest, headers: { ...headers, allow: 'GET, HEAD' } }
}
