import type { WorkerState } from './observer.ts'

/** Whether a worker takes more jobs of its queues, or will when its backend is back: one that stops does not. */
export function isServing({ state }: Pick<WorkerState, 'state'>): boolean {
  return state === 'running' || state === 'degraded'
}
