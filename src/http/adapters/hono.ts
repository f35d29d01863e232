import type { MiddlewareHandler } from 'hono'
import type { JobRoutesOptions, JobSource } from '../routes.ts'
import { jobRoutes } from '../routes.ts'

/** The routes as Hono middleware: `app.use(offloadHono(queue))`. In a route of one's own: `return accepted(await queue.enqueue(…))`. */
export function offloadHono(queue: JobSource, options: JobRoutesOptions = {}): MiddlewareHandler {
  const routes = jobRoutes(queue, options)
  return async (context, next) => {
    const response = await routes(context.req.raw)
    if (response === undefined) return next()
    return response
  }
}
