export type { Task } from '../task.ts'
export {
  type ClientWaitOptions,
  type OffloadClient,
  type OffloadClientOptions,
  offloadClient,
  type SignalOption,
  type SubmitOptions,
} from './client.ts'
export {
  type ClientErrorCode,
  type ClientErrorDetails,
  type ClientProblem,
  OffloadClientError,
} from './error.ts'
export type { FollowOptions } from './follow.ts'
export type { Api, ClientEvent, ClientJob, InputOf, ResultOf } from './job.ts'
export type { HeadersLike } from './request.ts'
