import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import { sendMail } from './mailer.ts'

/** Everything in the request: the customer waits for the mail provider, and its fault is the customer's. */
export function blockingApp(): FastifyInstance {
  const app = Fastify()
  app.post<{ Body: { name: string; email: string } }>('/signup', async (request, reply) => {
    const { name, email } = request.body
    await sendMail(email, `Welcome, ${name}!`)
    return reply.code(201).send({ name })
  })
  return app
}
