import type { MiddlewareHandler } from 'hono'
import type { HoldsStreams, JobRoutesOptions, JobSource } from '../routes.ts'
import { jobRoutes } from '../routes.ts'

/** The routes as Hono middleware: `app.use(offloadHono(queue))`. In a route of one's own: `return accepted(await queue.enqueue(…))`. */
export function offloadHono(
  queue: JobSource,
  options: JobRoutesOptions = {},
): MiddlewareHandler & HoldsStreams {
  const routes = jobRoutes(queue, options)
  const middleware: MiddlewareHandler = async (context, next) => {
    const response = await routes(context.req.raw)
    if (response === undefined) return next()
    return response
  }
  return Object.assign(middleware, { close: () => routes.close() })
}
