import type { ErrorCode } from '../../job/errors.ts'
import { jobStates } from '../../job/job.ts'
import { jsonContent } from './accept-operations.ts'
import type { Components, Part } from './components.ts'

const text = { type: 'string' }

/** `GET {base}`. */
export function listJobs(components: Components): Part {
  const time = { type: 'string', format: 'date-time' }
  return {
    get: {
      operationId: 'listJobs',
      summary: 'Lists jobs, the newest first',
      tags: ['jobs'],
      parameters: [
        query('state', { enum: jobStates }),
        query('task', text),
        query('queue', text),
        query('key', text),
        query('from', time, 'Accepted at this time or later.'),
        query('to', time, 'Accepted before this time.'),
        query('limit', { type: 'integer', minimum: 1, maximum: 1000, default: 50 }),
        query('cursor', text, '`next` of the page before.'),
      ],
      responses: {
        '200': {
          description: 'A page of those that this request may see.',
          headers: components.headers('Cache-Control'),
          ...jsonContent(components.schema('JobPage')),
        },
        ...components.problems(['FORBIDDEN', 'OPTION_INVALID']),
      },
    },
  }
}

/** The paths of one job, below `{base}/{id}`. */
export function jobItems(
  base: string,
  components: Components,
  areLinksSigned: boolean,
): Readonly<Record<string, Part>> {
  const item = `${base}/{id}`
  const parameters = [idParameter, ...(areLinksSigned ? signature : [])]
  const codes: ErrorCode[] = [
    'JOB_NOT_FOUND',
    'JOB_GONE',
    ...(areLinksSigned ? ['LINK_INVALID' as const] : []),
  ]
  return {
    [item]: { parameters, get: getJob(components, codes) },
    [`${item}/result`]: { parameters, get: getResult(components, codes) },
    [`${item}/events`]: { parameters, get: followJob(components, codes) },
    [`${item}/cancel`]: { parameters, post: cancelJob(components, codes) },
  }
}

/** `GET {base}/openapi.json`. */
export function getOpenapi(components: Components): Part {
  return {
    get: {
      operationId: 'getOpenapi',
      summary: 'This document',
      tags: ['jobs'],
      parameters: [ifNoneMatch],
      responses: {
        '200': {
          description: 'OpenAPI 3.1.',
          headers: components.headers('ETag', 'Cache-Control'),
          ...jsonContent({ type: 'object' }),
        },
        '304': notModified(components),
      },
    },
  }
}

function getJob(components: Components, codes: readonly ErrorCode[]): Part {
  return {
    operationId: 'getJob',
    summary: 'Reads a job',
    description:
      'Answers 200 in every state, also for a dead job. Ask again after `Retry-After`, which ended jobs do not have.',
    tags: ['jobs'],
    parameters: [ifNoneMatch],
    responses: {
      '200': {
        description: 'The job.',
        headers: components.headers('ETag', 'Retry-After', 'Cache-Control'),
        ...jsonContent(components.schema('Job')),
      },
      '304': notModified(components),
      ...components.problems(codes),
    },
  }
}

function getResult(components: Components, codes: readonly ErrorCode[]): Part {
  return {
    operationId: 'getResult',
    summary: 'Reads the result of a done job',
    description: 'The result alone, with its own type: JSON, or what the handler made.',
    tags: ['jobs'],
    responses: {
      '200': {
        description: 'The result.',
        headers: components.headers('Cache-Control'),
        content: { '*/*': {} },
      },
      ...components.problems([...codes, 'JOB_CANCELLED', 'JOB_DEAD', 'RESULT_PENDING']),
    },
  }
}

function followJob(components: Components, codes: readonly ErrorCode[]): Part {
  return {
    operationId: 'followJob',
    summary: 'Follows a job',
    description:
      'Server-Sent Events. First `state` with the job; then `started`, `progress`, `retrying` and so on; last `done`, `dead` or `cancelled` with the job. ' +
      '`reset`, with the job, says that events were missed. Whoever comes back with `Last-Event-ID` goes on from there.',
    tags: ['jobs'],
    parameters: [
      {
        name: 'Last-Event-ID',
        in: 'header',
        description: 'The `id` of the last event that was seen.',
        schema: text,
      },
      query('lastEventId', text, 'The same, for clients that cannot set a header.'),
    ],
    responses: {
      '200': {
        description: 'The events; the stream ends with the job.',
        headers: components.headers('Cache-Control'),
        content: { 'text/event-stream': { schema: text } },
      },
      '204': { description: 'The job has ended and that was told: do not come back.' },
      ...components.problems([...codes, 'QUEUE_FULL']),
    },
  }
}

function cancelJob(components: Components, codes: readonly ErrorCode[]): Part {
  const body = jsonContent(components.schema('CancelledJob'))
  return {
    operationId: 'cancelJob',
    summary: 'Cancels a job',
    tags: ['jobs'],
    responses: {
      '200': {
        description: 'It is cancelled.',
        headers: components.headers('Cache-Control'),
        ...body,
      },
      '202': {
        description: 'Its handler was told to stop: read the job to see how it ends.',
        headers: components.headers('Location', 'Retry-After', 'Cache-Control'),
        ...body,
      },
      ...components.problems([...codes, 'FORBIDDEN', 'JOB_ENDED']),
    },
  }
}

const idParameter: Part = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The `id` of the job.',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
}

const signature: readonly Part[] = [
  query('expires', text, 'Part of a signed link: seconds since 1970.'),
  query('signature', text, 'Part of a signed link.'),
]

const ifNoneMatch: Part = {
  name: 'If-None-Match',
  in: 'header',
  description: 'The `ETag` of the answer that is known already.',
  schema: text,
}

function notModified(components: Components): Part {
  return { description: 'It is as it was.', headers: components.headers('ETag', 'Cache-Control') }
}

function query(name: string, schema: Part, description?: string): Part {
  return { name, in: 'query', ...(description === undefined ? {} : { description }), schema }
}
