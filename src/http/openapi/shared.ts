import { errorCodes } from '../../job/errors.ts'
import { jobStates } from '../../job/job.ts'
import type { JsonSchema } from './json-schema.ts'

const text = { type: 'string' }
const time = { type: 'string', format: 'date-time' }
const address = { type: 'string', format: 'uri-reference' }
const count = { type: 'integer', minimum: 0 }
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

function object(
  required: Readonly<Record<string, unknown>>,
  optional: Readonly<Record<string, unknown>> = {},
): JsonSchema {
  return { type: 'object', properties: { ...required, ...optional }, required: Object.keys(required) }
}

const identity = {
  id: { ...text, description: 'Names the job in the paths below.' },
  task: text,
  queue: text,
}

const fault = object({ type: address, title: text, detail: text, code: text }, {})

/** The schemas that do not depend on the options, by name. */
export const sharedSchemas: Readonly<Record<string, JsonSchema>> = {
  Job: {
    description: 'A job as its client sees it: never its input.',
    ...object(
      {
        ...identity,
        state: { enum: jobStates },
        attempt: { ...count, description: 'Attempts begun.' },
        maxAttempts: { ...count, description: 'Attempts that may be made in all.' },
        createdAt: time,
        links: ref('JobLinks'),
      },
      {
        cancelling: { const: true, description: 'A cancel was asked for; the handler has not stopped yet.' },
        runAt: { ...time, description: 'Not to be started before.' },
        startedAt: time,
        endedAt: time,
        progress: { description: 'What the handler said last: any JSON.' },
        result: { description: 'Of a done job: any JSON, null for none.' },
        resultUrl: {
          ...address,
          description: 'Instead of `result` when that is over 16 kB, or bytes of a type of its own.',
        },
        error: ref('JobError'),
      },
    ),
  },
  JobError: { ...fault, description: 'Why a job is dead, as a problem. `code` is stable.' },
  JobLinks: {
    description: 'Where the job is read, followed and cancelled, as far as that can be done now.',
    ...object({ self: address, events: address }, { result: address, cancel: address }),
  },
  AcceptedJob: {
    description: 'A job that was accepted: durably queued.',
    ...object({ ...identity, state: { const: 'queued' }, links: ref('JobLinks') }),
  },
  CancelledJob: {
    description: 'A job that is cancelled, or whose handler was told to stop.',
    ...object(
      { id: text, state: { enum: ['cancelled', 'running'] }, links: ref('JobLinks') },
      { cancelling: { const: true, description: 'The handler runs, and was told to stop.' } },
    ),
  },
  JobPage: {
    ...object(
      { jobs: { type: 'array', items: ref('Job'), description: 'The newest first.' } },
      {
        next: { ...text, description: 'The `cursor` of the next page; not there at the end.' },
        links: object({ next: address }),
      },
    ),
  },
  BatchAnswer: {
    ...object({
      items: {
        type: 'array',
        description: 'An answer for each item, in order.',
        items: {
          anyOf: [
            object(
              { status: { const: 202 }, job: ref('AcceptedJob') },
              { replayed: { const: true, description: 'It was accepted before, under this key.' } },
            ),
            object({ status: { type: 'integer', minimum: 400, maximum: 599 }, problem: ref('Problem') }),
          ],
        },
      },
    }),
  },
  Problem: {
    description: 'A problem document (RFC 9457).',
    ...object(
      {
        type: { ...address, description: '`urn:offload:error:…`, or `about:blank` for one of HTTP itself.' },
        title: text,
        status: { type: 'integer', minimum: 400, maximum: 599 },
      },
      {
        detail: text,
        instance: { ...text, description: 'The path that was asked.' },
        code: { enum: Object.keys(errorCodes), description: 'Stable.' },
        retryable: { type: 'boolean', description: 'The same request may succeed after `Retry-After`.' },
        errors: {
          type: 'array',
          description: 'The faults of an input: the first 100.',
          items: object({ path: text, detail: text }),
        },
      },
    ),
  },
  WebhookEvent: {
    description: 'How a job ended (Standard Webhooks 1.0.0).',
    ...object({
      type: { enum: ['job.done', 'job.dead', 'job.cancelled'] },
      timestamp: { ...time, description: 'When the job ended.' },
      data: object(
        {
          ...identity,
          state: { enum: ['done', 'dead', 'cancelled'] },
          attempt: count,
          createdAt: time,
          endedAt: time,
        },
        {
          tenant: text,
          result: { description: 'Of a done job, where the webhook stays below 20 kB with it.' },
          resultUrl: { ...address, description: 'Where a result that was left out can be read.' },
          error: ref('JobError'),
          links: object({ self: address }),
        },
      ),
    }),
  },
}

const header = (description: string, schema: JsonSchema = text): JsonSchema => ({ description, schema })

/** The headers of answers, by name. */
export const sharedHeaders: Readonly<Record<string, JsonSchema>> = {
  'Cache-Control': header('Who may keep the answer, and whether it must be asked for again.'),
  'Content-Location': header('Where the job in the body is read.', address),
  ETag: header('Changes with the answer: send it as `If-None-Match`.'),
  'Idempotent-Replayed': header('The job was accepted before, under this `Idempotency-Key`.', {
    const: 'true',
  }),
  Location: header('Where the job is read.', address),
  'Operation-Location': header('The whole address of the job.', { type: 'string', format: 'uri' }),
  'Preference-Applied': header('What was done of `Prefer` (RFC 7240).'),
  'Retry-After': header('Seconds after which to ask again.', { type: 'integer', minimum: 1 }),
}
