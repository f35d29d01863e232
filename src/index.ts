export type { SlotRange, SlotsDecision, SlotsReason } from './autoscale/policy/concurrency.ts'
export type { Backend, BackendOptions, Retention } from './backend.ts'
export type { MessageBroker } from './backends/registry.ts'
export type {
  Accepted,
  Amount,
  Beat,
  Broker,
  Claim,
  Depth,
  Features,
  LeaseState,
  Room,
  Totals,
  Want,
} from './broker.ts'
export type {
  Document,
  DocumentChange,
  DocumentQuery,
  Documents,
  DueDocuments,
  DueQuery,
} from './documents.ts'
export type { Duration } from './duration.ts'
export type { CancelVerdict, Handle } from './handle.ts'
export { type Content, type ContentOptions, content } from './job/content.ts'
export {
  AbortedError,
  BackendError,
  CapabilityError,
  type ErrorCode,
  errorCodes,
  InputError,
  JobEndedError,
  OffloadError,
  QueueFullError,
} from './job/errors.ts'
export { type EndedJob, endedJob } from './job/follow-up.ts'
export type { FollowUp, Idempotency, Job, JobFault, JobRecord, JobState, LogLine, Past } from './job/job.ts'
export { discard, type Outcome, retry, snooze } from './job/outcome.ts'
export type { RetryOptions } from './job/retry.ts'
export type { Settlement } from './job/state.ts'
export type {
  Action,
  DeadFilter,
  FindQuery,
  JobEvent,
  JobEventType,
  Ledger,
  OutboxWant,
  Page,
} from './ledger.ts'
export type { Logger, LogLevel } from './log.ts'
export type { LogOptions } from './observe/log/attempt-log.ts'
export type {
  AnsweredCall,
  AttemptOutcome,
  EndedAttempt,
  Observed,
  Observer,
  Requested,
  Troubled,
  WorkerState,
} from './observe/observer.ts'
export { type BulkAnswer, type Offload, offload } from './offload.ts'
export type { LimitOptions, OffloadOptions, RetentionOptions } from './options.ts'
export type { Percentiles } from './presence/spread.ts'
export type {
  Presence,
  RunningAttempt,
  ScalerView,
  ScalingDecision,
  SlowedQueue,
  WorkerView,
} from './presence/view.ts'
export type { WaitOptions, WatchFilter, WatchOptions } from './reading/reader.ts'
export type { JobView } from './reading/view.ts'
export type { CatchUp, Overlap } from './schedule/plan.ts'
export { type Schedule, type ScheduleOptions, schedule } from './schedule/schedule.ts'
export type { Schedules, ScheduleView } from './schedule/schedules.ts'
export {
  type AnyTask,
  type DoneTask,
  type EnqueueOptions,
  type JobContext,
  type OnDone,
  type Task,
  type TaskOptions,
  task,
} from './task.ts'
export type { CircuitOptions } from './worker/circuit.ts'
export type { WorkEvent } from './worker/settler.ts'
export type { Health } from './worker/status.ts'
export type { WorkOptions } from './worker/work-plan.ts'
export type { Worker } from './worker/worker.ts'
