import type { Components, Part } from './components.ts'

const EVENTS = ['done', 'dead', 'cancelled'] as const

/** `webhooks` of a document: what is sent to receivers that the server knows. */
export function webhookItems(components: Components): Part {
  return Object.fromEntries(
    EVENTS.map((end) => {
      const type = `job.${end}`
      const body = {
        allOf: [components.schema('WebhookEvent'), { type: 'object', properties: { type: { const: type } } }],
      }
      return [type, { post: webhook(`A job ended: ${end}.`, body) }]
    }),
  )
}

/** `callbacks` of an accept route: what is sent to the `callbackUrl` in its body. */
export function callbackItem(components: Components): Part {
  const post = webhook('The job has ended.', components.schema('WebhookEvent'))
  return { done: { '{$request.body#/callbackUrl}': { post } } }
}

function webhook(summary: string, schema: Part): Part {
  return {
    summary,
    description:
      'Signed and sent again as Standard Webhooks 1.0.0 says. The same `webhook-id` may come twice.',
    parameters: [
      header('webhook-id', 'The same on every try: heed it once.', { type: 'string' }),
      header('webhook-timestamp', 'Seconds since 1970 at this try.', { type: 'string', pattern: '^\\d+$' }),
      header(
        'webhook-signature',
        'Signatures of `{webhook-id}.{webhook-timestamp}.{body}`, with a space between: `v1,` (HMAC-SHA256) or `v1a,` (Ed25519), and base64.',
        { type: 'string' },
      ),
    ],
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: {
      '2XX': { description: 'It was taken.' },
      '410': { description: 'Nothing more is sent to this receiver.' },
      default: { description: 'It is sent again later.' },
    },
  }
}

function header(name: string, description: string, schema: Part): Part {
  return { name, in: 'header', required: true, description, schema }
}
