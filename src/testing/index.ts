export {
  Bench,
  type ConformanceCase,
  type ConformanceGroup,
  type ConformanceTarget,
  runCase,
} from './conformance/case.ts'
export { conformanceCases } from './conformance/index.ts'
export type { Faults } from './faults.ts'
export { LeastPowerServer } from './least-power-broker.ts'
export {
  type EnqueuedJob,
  type IdleOptions,
  type TestQueue,
  type TestQueueOptions,
  testQueue,
} from './test-queue.ts'
export { VirtualClock } from './virtual-clock.ts'
