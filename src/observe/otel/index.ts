export { type MetersOptions, meters } from './meters.ts'
export { type TracingOptions, tracing } from './tracing.ts'
