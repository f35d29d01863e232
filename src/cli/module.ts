import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OffloadError } from '../job/errors.ts'
import type { Offload } from '../offload.ts'
import type { Schedule } from '../schedule/schedule.ts'
import type { AnyTask } from '../task.ts'
import { nearest } from './nearest.ts'

/** What a module exports that a command can use. */
export interface Loaded {
  /** With those of the schedules. */
  readonly tasks: readonly AnyTask[]
  readonly schedules: readonly Schedule[]
  /** Made by offload() there; it names its own URL. */
  readonly queue: Offload | undefined
}

/** A file that needs not be there: what is looked up is looked up from its folder. */
const NOWHERE = 'offload.js'

/** Loads a module by its path or package name, seen from `folder`. @throws MODULE_INVALID */
export async function loadModule(specifier: string, folder: string): Promise<Loaded> {
  let exported: unknown
  try {
    exported = await importFrom(specifier, folder)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const [firstLine = ''] = reason.split('\n')
    throw new OffloadError(
      'MODULE_INVALID',
      `${specifier} cannot be loaded: ${firstLine.replace(` imported from ${join(folder, NOWHERE)}`, '')} (seen from ${folder}: name a file, e.g. ./tasks.ts, or an installed package)`,
      { cause },
    )
  }
  const loaded = usable(exported as object)
  if (loaded.tasks.length > 0 || loaded.queue !== undefined) return loaded
  throw new OffloadError(
    'MODULE_INVALID',
    `${specifier} exports no task: export what task() made, a list of it, or the queue that offload() made`,
  )
}

/**
 * The tasks, the schedules and the queue among what is exported, by themselves, in lists, or together as one default. Known by shape: the
 * module may use another copy of Offload.
 */
export function usable(exported: object): Loaded {
  const tasks = new Set<AnyTask>()
  const schedules = new Set<Schedule>()
  const queues = new Set<Offload>()
  for (const value of Object.entries(exported).flatMap(([name, each]) => within(name, each))) {
    if (isTask(value)) tasks.add(value)
    else if (isSchedule(value)) schedules.add(value)
    else if (isQueue(value)) queues.add(value)
  }
  for (const { task } of schedules) tasks.add(task)
  if (queues.size > 1)
    throw new OffloadError(
      'MODULE_INVALID',
      'the module exports more than one queue: export one, or none and give --url',
    )
  return { tasks: [...tasks], schedules: [...schedules], queue: [...queues][0] }
}

function within(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  const isBag = name === 'default' && typeof value === 'object' && value !== null
  return isBag && ![isTask, isSchedule, isQueue].some((isThat) => isThat(value))
    ? Object.entries(value).flatMap(([inner, each]) => within(`default.${inner}`, each))
    : [value]
}

/** @throws TASK_UNKNOWN */
export function taskNamed(name: string, tasks: readonly AnyTask[]): AnyTask {
  const found = tasks.find((task) => task.name === name)
  if (found !== undefined) return found
  const near = nearest(
    name,
    tasks.map((task) => task.name),
  )
  throw new OffloadError(
    'TASK_UNKNOWN',
    `the module has no task ${JSON.stringify(name)}${near === undefined ? `: it has ${tasks.map((task) => task.name).join(', ') || 'none'}` : `; did you mean "${near}"?`}`,
    { task: name },
  )
}

function isTask(value: unknown): value is AnyTask {
  if (typeof value !== 'object' || value === null) return false
  const { name, queue, run, keyOf, input } = value as Partial<AnyTask>
  return (
    typeof name === 'string' &&
    typeof queue === 'string' &&
    typeof run === 'function' &&
    typeof keyOf === 'function' &&
    input?.['~standard'] !== undefined
  )
}

function isSchedule(value: unknown): value is Schedule {
  if (typeof value !== 'object' || value === null) return false
  const { name, task, timing, catchUp, overlap } = value as Partial<Schedule>
  return (
    typeof name === 'string' &&
    isTask(task) &&
    typeof timing === 'object' &&
    catchUp !== undefined &&
    overlap !== undefined
  )
}

function isQueue(value: unknown): value is Offload {
  if (typeof value !== 'object' || value === null) return false
  const { work, enqueue, close } = value as Partial<Offload>
  return [work, enqueue, close].every((method) => typeof method === 'function')
}

/** Imports as a module in `folder` would: a package is looked up there, not where this program lies. */
async function importFrom(specifier: string, folder: string): Promise<unknown> {
  const path = resolve(folder, specifier)
  if (existsSync(path)) return import(pathToFileURL(path).href)
  const parentURL = pathToFileURL(join(folder, NOWHERE)).href
  const hooks = registerHooks({
    resolve: (asked, context, next) =>
      next(
        asked,
        asked === specifier && context.parentURL === import.meta.url ? { ...context, parentURL } : context,
      ),
  })
  try {
    return await import(specifier)
  } finally {
    hooks.deregister()
  }
}
