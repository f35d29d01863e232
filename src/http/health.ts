import type { Check } from '../observe/health/health.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import { plainProblem } from './problem.ts'
import type { Route } from './route.ts'
import { checkPath } from './route.ts'

/** Where probes ask. */
export interface HealthPaths {
  /** @default '/livez' */
  readonly livez?: string
  /** @default '/readyz' */
  readonly readyz?: string
}

/** What sends metrics: `metrics()` of `offload/metrics`. */
export interface MetricsSource {
  page(accept?: string): Promise<{ readonly contentType: string; readonly body: string }>
}

export function healthRoutes(
  prefix: string,
  health: boolean | HealthPaths,
  readyz: (ask: Ask) => Promise<Answer>,
): Route[] {
  if (health === false) return []
  const paths = health === true ? {} : health
  const path = (name: 'livez' | 'readyz'): string =>
    prefix + checkPath(paths[name] ?? `/${name}`, `health.${name}`)
  return [
    { method: 'GET', path: path('livez'), summary: 'Tells that this process runs', answer: livezAnswer },
    {
      method: 'GET',
      path: path('readyz'),
      summary: 'Tells whether this process can do its work',
      answer: readyz,
    },
  ]
}

export function metricsRoutes(prefix: string, metrics: MetricsSource | undefined): Route[] {
  if (metrics === undefined) return []
  const answer = (ask: Ask): Promise<Answer> => metricsAnswer(metrics, ask)
  return [{ method: 'GET', path: `${prefix}/metrics`, summary: 'Sends the metrics', answer }]
}

const text = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }

/** That it answers is the answer: nothing that this process depends on is asked, so that no outage restarts it. */
function livezAnswer(): Answer {
  return { status: 200, headers: text, body: 'ok\n' }
}

/** 200, or 503 with a problem document that says why; with `?verbose` each check, for people. Causes may name hosts. */
export function readyzAnswer(checks: readonly Check[], ask: Ask, hasCauses = false): Answer {
  const faults = checks.flatMap(({ fault, cause }) =>
    fault === undefined ? [] : [hasCauses && cause !== undefined ? `${fault}: ${cause}` : fault],
  )
  const status = faults.length === 0 ? 200 : 503
  if (ask.query.has('verbose')) return { status, headers: text, body: verbose(checks, faults) }
  if (status === 200) return { status, headers: text, body: 'ok\n' }
  return plainProblem(503, 'Not ready', faults.join('; '), ask.path)
}

function verbose(checks: readonly Check[], faults: readonly string[]): string {
  const left = [...faults]
  const lines = checks.map(({ name, fault }) =>
    fault === undefined ? `[+] ${name} ok` : `[-] ${name}: ${left.shift()}`,
  )
  return `${[...lines, faults.length === 0 ? 'ready' : 'not ready'].join('\n')}\n`
}

async function metricsAnswer(source: MetricsSource, ask: Ask): Promise<Answer> {
  const { contentType, body } = await source.page(ask.header('accept'))
  return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body }
}
