import type { Ask } from './ask.ts'

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const MAX_STATE = 1024

/** The W3C trace context of a request, to be carried by its job. One that cannot be read is dropped, its state with it. */
export function traceOf(ask: Ask): Record<string, string> | undefined {
  const traceparent = ask.header('traceparent')
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined
  const tracestate = ask.header('tracestate')
  const isUsable =
    tracestate !== undefined && tracestate.length <= MAX_STATE && tracestate.split(',').length <= 32
  return isUsable ? { traceparent, tracestate } : { traceparent }
}
