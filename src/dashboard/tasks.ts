import type { Ask } from '../http/ask.ts'
import { readJson } from '../http/body.ts'
import { jsonSchemaOf } from '../http/openapi/json-schema.ts'
import { OffloadError, shown } from '../job/errors.ts'
import type { AnyTask, EnqueueOptions } from '../task.ts'
import { refused } from './query.ts'
import type { TaskRow } from './shapes.ts'
import type { DashboardSource } from './source.ts'

const BODY_BYTES = 1_048_576

/** What can be queued here. */
export function taskRows(tasks: readonly AnyTask[]): TaskRow[] {
  return tasks
    .map(({ name, queue, priority, input }) => {
      const schema = jsonSchemaOf(input, 'input')
      return { name, queue, priority, ...(schema === undefined ? {} : { schema }) }
    })
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** Queues a job of a task that is known here. @throws TASK_UNKNOWN, OPTION_INVALID, and all that enqueue() throws */
export async function enqueueAsked(
  source: Pick<DashboardSource, 'enqueue' | 'tasks'>,
  ask: Ask,
): Promise<{ id: string; duplicate: boolean }> {
  const body = await readJson(ask, BODY_BYTES)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw refused('send { "task", "input" }')
  const { task: name, input, ...rest } = body as Record<string, unknown>
  const task = source.tasks.find((one) => one.name === name)
  if (task === undefined) throw new OffloadError('TASK_UNKNOWN', `no task ${shown(name)} is known here`)
  const { id, duplicate } = await source.enqueue(task, input, optionsOf(rest))
  return { id, duplicate }
}

function optionsOf({ priority, key, delayMs, ...others }: Record<string, unknown>): EnqueueOptions {
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw refused(`there is no option ${shown(stranger)} here`)
  return {
    ...(priority === undefined ? {} : { priority: numberOf(priority, 'priority') }),
    ...(delayMs === undefined ? {} : { delay: numberOf(delayMs, 'delayMs') }),
    ...(key === undefined ? {} : { key: textOf(key, 'key') }),
  }
}

function numberOf(value: unknown, name: string): number {
  if (typeof value === 'number') return value
  throw refused(`${name} must be a number`)
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw refused(`${name} must be a text`)
}
