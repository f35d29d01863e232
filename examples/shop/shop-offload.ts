import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import type { Offload } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import type { Order } from './steps.ts'
import { order } from './steps.ts'
import type { ShopTasks } from './tasks.ts'

/** The same shop with Offload: the order is taken durably, the answer goes out, the work follows. */
export function offloadShop(queue: Offload, { pay, report }: ShopTasks): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true })
  app.register(offloadFastify, { queue })
  app.post<{ Body: Order }>('/orders', async (request, reply) => {
    const input = order.parse(request.body)
    return reply.accepted(await queue.enqueue(pay, input, { id: input.orderId }))
  })
  app.post<{ Body: { to: string } }>('/reports', async (request, reply) => {
    return reply.accepted(await queue.enqueue(report, request.body, { id: 'report', priority: 2 }))
  })
  return app
}
