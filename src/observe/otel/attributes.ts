import type { Attributes } from '@opentelemetry/api'

/** Operations that OpenTelemetry's conventions for messaging know a type of. */
const types = new Set(['create', 'send', 'process', 'settle'])

/** What every span says, by the names of those conventions. */
export function attributesOf(
  operation: string,
  system: string,
  queue: string | undefined,
  more: Attributes,
): Attributes {
  return {
    'messaging.system': system,
    'messaging.operation.name': operation,
    ...(types.has(operation) ? { 'messaging.operation.type': operation } : {}),
    ...(queue === undefined ? {} : { 'messaging.destination.name': queue }),
    ...more,
  }
}
