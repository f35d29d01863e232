import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import type { Steps } from './steps.ts'
import { order, receiptOf } from './steps.ts'

/** The shop as most are built: the customer waits for all of it, and all of it must work. */
export function blockingShop(steps: Steps): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true })
  app.post('/orders', async (request, reply) => {
    const input = order.parse(request.body)
    await steps.charge(input.orderId)
    steps.takeStock(input)
    await steps.mail(receiptOf(input))
    steps.updateSuggestions(input)
    steps.updateDashboard(input)
    return reply.code(201).send({ orderId: input.orderId })
  })
  return app
}
