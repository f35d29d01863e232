export { type AcceptedJob, type AcceptOptions, accepted } from './accept.ts'
export type { AcceptRoute } from './accept-route.ts'
export type { AccessOptions, ListScope } from './access.ts'
export type { CorsOptions } from './cors.ts'
export type { HealthPaths, MetricsSource } from './health.ts'
export type { IdempotencyOptions, IdempotencyRule } from './idempotency.ts'
export type { LinkOptions, Links } from './links.ts'
export { type OpenapiDocument, type OpenapiInfo, openapi } from './openapi.ts'
export { type Problem, problemResponse } from './problem.ts'
export type { ResultHook } from './result.ts'
export {
  type HoldsStreams,
  type JobRoutes,
  type JobRoutesOptions,
  type JobSource,
  jobRoutes,
} from './routes.ts'
export type { JobResource } from './status.ts'
export { acceptedFor, idempotency } from './web.ts'
