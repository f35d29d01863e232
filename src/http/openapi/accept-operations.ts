import type { ErrorCode } from '../../job/errors.ts'
import type { AcceptRoute } from '../accept-route.ts'
import type { Components, Part } from './components.ts'
import type { JsonSchema } from './json-schema.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { callbackItem } from './webhooks.ts'

export interface AcceptContext {
  readonly components: Components
  readonly maxWaitMs: number
  /** Whether the whole address of a job is told. */
  readonly hasOrigin: boolean
  /** Whether a job is found by its id alone. */
  readonly isFoundById: boolean
}

const BODY: readonly ErrorCode[] = [
  'BODY_INVALID',
  'BODY_TOO_LARGE',
  'CONTENT_TYPE_UNSUPPORTED',
  'INPUT_INVALID',
]
const INPUT: readonly ErrorCode[] = ['OPTION_INVALID', 'PAYLOAD_INVALID', 'PAYLOAD_TOO_LARGE']

/** `POST {path}`. */
export function acceptOperation(operationId: string, route: AcceptRoute, context: AcceptContext): Part {
  const { components, maxWaitMs, hasOrigin } = context
  const { task, callback, options, idempotency = 'optional' } = route
  return {
    operationId,
    summary: `Queues a job of ${task.name}`,
    tags: ['accept'],
    parameters: [...keyParameters(idempotency), preferParameter(maxWaitMs), traceParameter],
    requestBody: jsonBody(bodySchema(route, components)),
    responses: {
      '200': {
        description:
          'The job has ended within the time that `Prefer: wait` gave it: how, is told by its `state`.',
        headers: components.headers(
          'ETag',
          'Cache-Control',
          'Content-Location',
          'Preference-Applied',
          'Idempotent-Replayed',
        ),
        ...jsonContent(endedSchema(route, components)),
        ...links(context),
      },
      '202': {
        description: 'The job is durably queued, or was so before under this `Idempotency-Key`.',
        headers: components.headers(
          'Location',
          ...(hasOrigin ? ['Operation-Location'] : []),
          'Retry-After',
          'Cache-Control',
          'Preference-Applied',
          'Idempotent-Replayed',
        ),
        ...jsonContent(components.schema('AcceptedJob')),
        ...links(context),
      },
      ...components.problems([
        ...BODY,
        ...INPUT,
        ...keyCodes(idempotency),
        ...(options === undefined ? [] : (['ID_TAKEN'] as const)),
        ...(callback === undefined ? [] : (['WEBHOOK_REFUSED'] as const)),
        'QUEUE_FULL',
      ]),
    },
    ...(callback === undefined ? {} : { callbacks: callbackItem(components) }),
  }
}

/** `POST {path}/batch`. */
export function batchOperation(operationId: string, route: AcceptRoute, { components }: AcceptContext): Part {
  const { task, batch = 0, idempotency = 'optional' } = route
  return {
    operationId,
    summary: `Queues up to ${batch} jobs of ${task.name}`,
    description: 'Each item is accepted or refused by itself.',
    tags: ['accept'],
    parameters: [traceParameter],
    requestBody: jsonBody({
      type: 'object',
      properties: {
        items: {
          type: 'array',
          maxItems: batch,
          items: {
            type: 'object',
            properties: {
              input: bodySchema(route, components),
              ...(idempotency === 'off' ? {} : { idempotencyKey: keySchema }),
            },
            required: idempotency === 'required' ? ['input', 'idempotencyKey'] : ['input'],
          },
        },
      },
      required: ['items'],
    }),
    responses: {
      '207': {
        description: 'An answer for each item, in order.',
        headers: components.headers('Cache-Control'),
        ...jsonContent(components.schema('BatchAnswer')),
      },
      ...components.problems([...BODY, 'QUEUE_FULL']),
    },
  }
}

function bodySchema({ task, callback, jsonSchema }: AcceptRoute, components: Components): JsonSchema {
  const given = jsonSchema?.input ?? jsonSchemaOf(task.input, 'input')
  const input = given === undefined ? {} : components.own(`${task.name}.input`, given)
  return callback === undefined ? input : withCallback(input, components)
}

/** Beside the members of an object and not around it, as that object may refuse what it does not know. */
function withCallback(input: JsonSchema, components: Components): JsonSchema {
  const properties = {
    callbackUrl: { type: 'string', format: 'uri', description: 'Is told of the end of the job.' },
  }
  const own = components.target(input)
  if (own.type === 'object' && typeof own.properties === 'object')
    return { ...own, properties: { ...own.properties, ...properties } }
  return { allOf: [input, { type: 'object', properties }] }
}

function endedSchema({ task, jsonSchema }: AcceptRoute, components: Components): JsonSchema {
  const job = components.schema('Job')
  const given = jsonSchema?.output ?? jsonSchemaOf(task.output, 'output')
  if (given === undefined) return job
  const result = components.own(`${task.name}.output`, given)
  return { allOf: [job, { type: 'object', properties: { result } }] }
}

const keySchema = { type: 'string', minLength: 1, maxLength: 255 }

function keyParameters(rule: NonNullable<AcceptRoute['idempotency']>): Part[] {
  if (rule === 'off') return []
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: rule === 'required',
      description:
        'A new UUID for a new request, in quotes or bare; the same again for the same request, which then queues nothing more. ' +
        'It is good as long as its job is remembered: 24 hours after the end, unless this server was told otherwise.',
      schema: { type: 'string', minLength: 1, maxLength: 512 },
      example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
    },
  ]
}

function keyCodes(rule: NonNullable<AcceptRoute['idempotency']>): ErrorCode[] {
  if (rule === 'off') return []
  const missing: ErrorCode[] = rule === 'required' ? ['IDEMPOTENCY_KEY_MISSING'] : []
  return ['IDEMPOTENCY_KEY_INVALID', ...missing, 'IDEMPOTENCY_IN_USE', 'IDEMPOTENCY_MISMATCH']
}

function preferParameter(maxWaitMs: number): Part {
  return {
    name: 'Prefer',
    in: 'header',
    description: `\`wait=5\` holds the answer until the job has ended, for 5 seconds at most (${Math.floor(maxWaitMs / 1000)} is the longest wait); \`respond-async\` asks for 202 (RFC 7240).`,
    schema: { type: 'string' },
    example: 'wait=5',
  }
}

const traceParameter: Part = {
  name: 'traceparent',
  in: 'header',
  description: 'W3C trace context, carried by the job. One that cannot be read is dropped.',
  schema: { type: 'string' },
}

function jsonBody(schema: JsonSchema): Part {
  return { required: true, ...jsonContent(schema) }
}

export function jsonContent(schema: JsonSchema): Part {
  return { content: { 'application/json': { schema } } }
}

/** A signed link cannot be made from the id. */
function links({ isFoundById }: AcceptContext): Part {
  if (!isFoundById) return {}
  const parameters = { id: '$response.body#/id' }
  const to = (operationId: string): Part => ({ operationId, parameters })
  return {
    links: {
      getJob: to('getJob'),
      getResult: to('getResult'),
      followJob: to('followJob'),
      cancelJob: to('cancelJob'),
    },
  }
}
