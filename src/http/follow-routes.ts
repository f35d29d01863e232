import type { JobView } from '../reading/view.ts'
import { cancelAnswer } from './accept.ts'
import type { Access } from './access.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import { checkPage } from './cors.ts'
import type { LinkMaker } from './links.ts'
import { listAnswer } from './list.ts'
import { resultAnswer } from './result.ts'
import type { Route } from './route.ts'
import type { JobRoutesOptions, JobSource } from './routes.ts'
import { statusAnswer } from './status.ts'

/** What the client of a job that was accepted may ask. @param follow how a stream of its events is opened */
export function followRoutes(
  base: string,
  queue: JobSource,
  access: Access,
  links: LinkMaker,
  follow: (job: JobView, ask: Ask) => Promise<Answer>,
  { result, cors }: JobRoutesOptions,
): Route[] {
  return [
    ...(access.lists
      ? [
          {
            method: 'GET',
            path: base,
            summary: 'Lists jobs',
            answer: async (ask: Ask) => listAnswer(queue, ask, await access.scope(ask), links),
          } as const,
        ]
      : []),
    {
      method: 'GET',
      path: `${base}/{id}`,
      summary: 'Tells how a job stands',
      answer: async (ask, id) => {
        const job = await access.job(ask, id, 'read')
        return statusAnswer(job, links.seenBy(job.id, ask.query), ask.header('if-none-match'))
      },
    },
    {
      method: 'GET',
      path: `${base}/{id}/result`,
      summary: 'Sends the result of a job',
      answer: async (ask, id) => resultAnswer(await access.job(ask, id, 'read'), ask, result),
    },
    {
      method: 'GET',
      path: `${base}/{id}/events`,
      summary: 'Tells what happens to a job',
      answer: async (ask, id) => follow(await access.job(ask, id, 'read'), ask),
    },
    {
      method: 'POST',
      path: `${base}/{id}/cancel`,
      summary: 'Cancels a job',
      answer: async (ask, id) => {
        checkPage(cors, ask)
        const job = await access.job(ask, id, 'cancel')
        return cancelAnswer(job.id, await queue.cancel(job.id), links)
      },
    },
  ]
}
