import { toResponse } from '../http/answer.ts'
import { askOf } from '../http/ask.ts'
import type { FastifyDashboard, HonoDashboard, NodeDashboard } from './adapters.ts'
import { fastifyDashboard, nodeDashboard } from './adapters.ts'
import type { DashboardOptions } from './options.ts'
import { settingsOf } from './options.ts'
import { Routes } from './routes.ts'
import type { DashboardSource } from './source.ts'

/** Answers a web-standard request, or undefined when it is for someone else. */
export interface Dashboard {
  (request: Request): Promise<Response | undefined>
  /** `createServer(board.node)`; for Express `app.use(board.node)`. */
  readonly node: NodeDashboard
  /** `app.register(board.fastify)`. */
  readonly fastify: FastifyDashboard
  /** `app.use(board.hono)`. */
  readonly hono: HonoDashboard
  /** Ends the open streams, so that a server can close; Fastify does it by itself. */
  close(): void
}

/**
 * A page to see and steer a queue, and the API below it, for any server: nothing is opened, and nothing runs while nobody looks.
 * @throws OPTION_INVALID, without `authorize` above all: there is no open door
 */
export function dashboard(queue: DashboardSource, options: DashboardOptions): Dashboard {
  const routes = new Routes(queue, settingsOf(options))
  const answer = async (request: Request): Promise<Response | undefined> => {
    const answered = await routes.answer(askOf(request))
    return answered === undefined ? undefined : toResponse(answered)
  }
  return Object.assign(answer, {
    node: nodeDashboard(routes),
    fastify: fastifyDashboard(routes),
    hono: async (context: Parameters<HonoDashboard>[0], next: () => Promise<void>) => {
      const response = await answer(context.req.raw)
      if (response === undefined) await next()
      return response
    },
    close: () => routes.close(),
  })
}
