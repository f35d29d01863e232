import type { Answer } from '../http/answer.ts'
import { isStream } from '../http/answer.ts'
import type { Ask } from '../http/ask.ts'
import { plainProblem } from '../http/problem.ts'
import { resultAnswer } from '../http/result.ts'
import { OffloadError } from '../job/errors.ts'
import { checkId, checkName } from '../job/id.ts'
import type { JobView } from '../reading/view.ts'
import { version } from '../version.ts'
import { bulkAnswer, deadPage } from './dead.ts'
import { checkSender, Guard } from './guard.ts'
import { guarded, json } from './headers.ts'
import { jobEvents } from './job-events.ts'
import { detailOf } from './job-rows.ts'
import { jobPage } from './jobs.ts'
import { LiveFeed, workersOf } from './live.ts'
import type { DashboardAction, Settings } from './options.ts'
import { Page } from './page.ts'
import { problemFor } from './problem.ts'
import { given, searchOf } from './query.ts'
import type { About, SchedulePage } from './shapes.ts'
import type { DashboardSource } from './source.ts'
import { Streams, streamAnswer } from './streams.ts'
import { enqueueAsked, taskRows } from './tasks.ts'

interface Route {
  readonly method: 'GET' | 'POST'
  /** Below the base; `{}` stands for one segment. */
  readonly path: string
  readonly action: DashboardAction
  readonly answer: (ask: Ask, segment: string) => Answer | Promise<Answer>
}

/** Everything below the base of one dashboard. */
export class Routes {
  readonly base: string
  readonly #source: DashboardSource
  readonly #guard: Guard
  readonly #streams: Streams
  readonly #live: LiveFeed
  readonly #page = new Page()
  readonly #routes: readonly Route[]

  constructor(source: DashboardSource, settings: Settings) {
    this.base = settings.base
    this.#source = source
    this.#guard = new Guard(settings)
    this.#streams = new Streams(settings.maxStreams)
    this.#live = new LiveFeed(source)
    this.#routes = [...this.#pageRoutes(settings), ...this.#jobRoutes(), ...this.#steeringRoutes()]
  }

  /** Undefined when the request is for someone else. Never rejects. */
  async answer(ask: Ask, path: string = ask.path): Promise<Answer | undefined> {
    if (path !== this.base && !path.startsWith(`${this.base}/`)) return undefined
    const answer = guarded(await this.#answerAt(path.slice(this.base.length), ask))
    if (ask.method !== 'HEAD') return answer
    if (isStream(answer.body)) void answer.body.return?.()
    return { ...answer, body: undefined }
  }

  close(): void {
    this.#streams.close()
  }

  async #answerAt(path: string, ask: Ask): Promise<Answer> {
    const matching = this.#routes.flatMap((route) => {
      const segment = segmentOf(path, route.path)
      return segment === undefined ? [] : [{ route, segment }]
    })
    const method = ask.method === 'HEAD' ? 'GET' : ask.method
    const found = matching.find(({ route }) => route.method === method)
    try {
      await this.#guard.check(ask, 'view')
      if (found === undefined)
        return matching.length === 0 ? plainProblem(404, 'Not Found') : notAllowed(matching)
      if (found.route.method === 'POST') checkSender(ask)
      if (found.route.action !== 'view') await this.#guard.check(ask, found.route.action)
      return await found.route.answer(ask, found.segment)
    } catch (error) {
      return problemFor(error, ask.path)
    }
  }

  #pageRoutes({ base, readOnly }: Settings): Route[] {
    const home = `${base.split('/').at(-1)}/`
    return [
      get('', () => ({ status: 308, headers: { location: home }, body: undefined })),
      get('/', (ask) => this.#page.answer(ask, 'index.html')),
      get('/assets/{}', (ask, name) => this.#page.answer(ask, `assets/${name}`)),
      get('/api/about', async (ask) => {
        const about: About = { version, readOnly, may: await this.#guard.allowed(ask) }
        return json(about)
      }),
      get('/api/live', (ask) => {
        const channel = this.#streams.open((one) => this.#live.leave(one))
        this.#live.join(channel, ask.query.has('workers'))
        return streamAnswer(channel)
      }),
    ]
  }

  #jobRoutes(): Route[] {
    const source = this.#source
    return [
      get('/api/jobs', async (ask) => json(await jobPage(source, searchOf(ask.query)))),
      post('/api/jobs', 'enqueue', async (ask) => json(await enqueueAsked(source, ask), 202)),
      get('/api/jobs/{}', async (ask, id) => {
        const [job, workers] = await Promise.all([this.#job(id), workersOf(source)])
        return json(detailOf(job, await this.#guard.may(ask, 'payload'), workers))
      }),
      get('/api/jobs/{}/events', async (ask, id) =>
        jobEvents(source, this.#streams, checkId(id), await this.#guard.may(ask, 'payload')),
      ),
      {
        method: 'GET',
        path: '/api/jobs/{}/result',
        action: 'payload',
        answer: async (ask, id) => resultAnswer(await this.#job(id), ask, undefined),
      },
      post('/api/jobs/{}/cancel', 'cancel', async (_, id) =>
        json({ verdict: await source.cancel(checkId(id)) }),
      ),
      post('/api/jobs/{}/retry', 'retry', async (_, id) =>
        json({ retried: await source.retry(checkId(id)) }),
      ),
      get('/api/dead', async (ask) => json(await deadPage(source, ask.query))),
      post('/api/dead/redrive', 'redrive', (ask) => bulkAnswer(source, 'redrive', ask)),
      post('/api/dead/purge', 'purge', (ask) => bulkAnswer(source, 'purge', ask)),
      get('/api/tasks', () => json({ tasks: taskRows(source.tasks) })),
    ]
  }

  #steeringRoutes(): Route[] {
    const source = this.#source
    const { schedules } = source
    const done = json({ ok: true })
    return [
      post('/api/queues/{}/pause', 'pause', async (_, name) => {
        await source.pause(checkName('queue', name))
        return done
      }),
      post('/api/queues/{}/resume', 'resume', async (_, name) => {
        await source.resume(checkName('queue', name))
        return done
      }),
      get('/api/schedules', async (ask) => {
        const after = given(ask.query, 'after')
        const page: SchedulePage = await schedules.list(after === undefined ? {} : { after })
        return json(await this.#seen(ask, page))
      }),
      get('/api/schedules/{}/next', async (_, name) => json({ ticks: await schedules.next(name, 5) })),
      post('/api/schedules/{}/pause', 'schedule', async (_, name) => {
        await schedules.pause(name)
        return done
      }),
      post('/api/schedules/{}/resume', 'schedule', async (_, name) => {
        await schedules.resume(name)
        return done
      }),
      post('/api/schedules/{}/run', 'schedule', async (_, name) =>
        json({ id: await schedules.runNow(name) }, 202),
      ),
    ]
  }

  /** Without the inputs, for who may not see them. */
  async #seen(ask: Ask, { schedules, ...rest }: SchedulePage): Promise<SchedulePage> {
    if (await this.#guard.may(ask, 'payload')) return { ...rest, schedules }
    return { ...rest, schedules: schedules.map((schedule) => ({ ...schedule, input: undefined })) }
  }

  async #job(id: string): Promise<JobView> {
    const job = await this.#source.get(checkId(id))
    if (job !== undefined) return job
    throw new OffloadError('JOB_NOT_FOUND', 'no job with this id is remembered', { jobId: id })
  }
}

function get(path: string, answer: Route['answer']): Route {
  return { method: 'GET', path, action: 'view', answer }
}

function post(path: string, action: DashboardAction, answer: Route['answer']): Route {
  return { method: 'POST', path, action, answer }
}

/** The segment that `{}` stands for, '' where there is none; undefined where the path is another. */
function segmentOf(path: string, pattern: string): string | undefined {
  const [before = '', after] = pattern.split('{}')
  if (after === undefined) return path === pattern ? '' : undefined
  if (!path.startsWith(before) || !path.endsWith(after)) return undefined
  const raw = path.slice(before.length, path.length - after.length)
  if (raw === '' || raw.includes('/')) return undefined
  try {
    return decodeURIComponent(raw)
  } catch {
    return undefined
  }
}

function notAllowed(matching: readonly { readonly route: Route }[]): Answer {
  const { status, headers, body } = plainProblem(405, 'Method Not Allowed')
  const methods = matching.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : ['POST']))
  return { status, headers: { ...headers, allow: methods.join(', ') }, body }
}
