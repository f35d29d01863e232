import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { NodeAsk, write } from '../http/adapters/wire.ts'
import type { Answer } from '../http/answer.ts'
import type { Ask } from '../http/ask.ts'
import type { MetricsSource } from '../http/health.ts'
import { healthRoutes, metricsRoutes, readyzAnswer } from '../http/health.ts'
import { plainProblem, problemOf } from '../http/problem.ts'
import type { Check } from '../observe/health/health.ts'
import { Health } from '../observe/health/health.ts'
import type { Observed, Observer } from '../observe/observer.ts'
import type { Offload } from '../offload.ts'
import { hideSecrets } from '../secrets.ts'
import { usageError } from './call.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** `9090`, `0.0.0.0:9090`, `[::]:9090`. @throws USAGE_INVALID */
export function addressOf(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535)
    throw usageError(
      `--health takes a port, or a host and a port: --health 9090, not ${JSON.stringify(text)}`,
    )
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/** What counts for the page of metrics. */
export interface Counts extends MetricsSource {
  readonly register: Registry
  /** To be told by a queue that is opened here. */
  readonly observer?: Observer
}

/** Undefined where prom-client is not installed. A queue of the user's own counts by itself, in the shared registry. */
export async function countsOf(own: Offload | undefined): Promise<Counts | undefined> {
  try {
    const { register } = await import('prom-client')
    const { pageOf } = await import('../observe/metrics/page.ts')
    const page = (accept?: string) => pageOf(register, accept)
    if (own !== undefined) return { page, register }
    const { metrics } = await import('../observe/metrics/index.ts')
    return { page, register, observer: metrics({ register }) }
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Answers probes and Prometheus while a worker runs. */
export class Probes {
  readonly url: string
  readonly #server: Server
  readonly #health: Health

  private constructor(server: Server, health: Health) {
    const { address, port, family } = server.address() as AddressInfo
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
    this.#server = server
    this.#health = health
  }

  /** @param more checks of what `observed` does not know */
  static async listen(
    { host, port }: Address,
    observed: Observed,
    counts: MetricsSource | undefined,
    more: () => readonly Check[],
  ): Promise<Probes> {
    const health = new Health(observed)
    const readyz = async (ask: Ask): Promise<Answer> =>
      readyzAnswer([...(await withoutSecrets(health)), ...more()], ask, true)
    const routes = [...healthRoutes('', true, readyz), ...metricsRoutes('', counts)]
    const answer = async (ask: Ask): Promise<Answer> => {
      const route = routes.find(({ path }) => path === ask.path)
      if (route === undefined) return plainProblem(404, 'Not Found', missing(ask.path))
      if (ask.method !== 'GET' && ask.method !== 'HEAD') return plainProblem(405, 'Method Not Allowed')
      try {
        return await route.answer(ask, '')
      } catch (error) {
        return problemOf(error, ask.path)
      }
    }
    const server = createServer((req, res) => {
      const ask = new NodeAsk(req, res, req.url ?? '/')
      void answer(ask).then((told) => write(told, req, res))
    })
    await once(server.listen(port, host), 'listening')
    return new Probes(server, health)
  }

  close(): void {
    this.#health.close()
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

function missing(path: string): string | undefined {
  return path === '/metrics' ? 'install prom-client beside offload: npm install prom-client' : undefined
}

async function withoutSecrets(health: Health): ReturnType<Health['checks']> {
  const checks = await health.checks()
  return checks.map((check) =>
    check.cause === undefined ? check : { ...check, cause: hideSecrets(check.cause) },
  )
}
