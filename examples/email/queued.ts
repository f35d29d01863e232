import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { z } from 'zod'
import { sendMail } from './mailer.ts'

/** The slow part, with what it needs and how often it is tried. */
export const welcome = task('mail.welcome', {
  input: z.object({ name: z.string().min(1), email: z.email() }),
  retry: { attempts: 8, base: '500ms' },
  timeout: '10s',
  run: ({ name, email }) => sendMail(email, `Welcome, ${name}!`),
})

/** The same API: it answers when the mail is safely queued. */
export function queuedApp(queue: Offload): FastifyInstance {
  const app = Fastify()
  app.register(offloadFastify, { queue })
  app.post<{ Body: { name: string; email: string } }>('/signup', async (request, reply) =>
    reply.accepted(await queue.enqueue(welcome, request.body, { ...request.idempotency() })),
  )
  return app
}

export function openQueue(): Offload {
  return offload({ url: 'sqlite:mails.db', tasks: [welcome] })
}
