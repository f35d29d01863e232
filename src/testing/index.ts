export {
  Bench,
  type ConformanceCase,
  type ConformanceGroup,
  type ConformanceTarget,
  runCase,
} from './conformance/case.ts'
export { conformanceCases } from './conformance/index.ts'
export { LeastPowerServer } from './least-power-broker.ts'
export { VirtualClock } from './virtual-clock.ts'
