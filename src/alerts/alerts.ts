import { randomFillSync } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { sleep, systemClock } from '../clock.ts'
import type { Document, DocumentChange, Documents } from '../documents.ts'
import { CapabilityError } from '../job/errors.ts'
import { idMaker } from '../job/id.ts'
import { DEFAULT_PAYLOAD_BYTES, decode } from '../job/payload.ts'
import type { Offload } from '../offload.ts'
import { makeJob } from '../producer/job.ts'
import type { ScheduleView } from '../schedule/schedules.ts'
import type { AnyTask, Task } from '../task.ts'
import { task } from '../task.ts'
import type { Worker } from '../worker/worker.ts'
import type { Alert } from './alert.ts'
import { alertInput, isAlert } from './alert.ts'
import type { AlertOptions, AlertPlan } from './options.ts'
import { planOf } from './options.ts'
import { Past } from './past.ts'
import type { Finding, Reading } from './rules.ts'
import { findingsOf } from './rules.ts'
import type { Standing } from './turn.ts'
import { turnOf } from './turn.ts'

/** Alerts that last are documents of this kind; they are no part of a store that is moved. */
const KIND = 'alert'
const PAGE = 1000
const QUEUE = 'alerts'
/** Urgent, but not before everything. */
const PRIORITY = 8
const newId = idMaker((bytes) => void randomFillSync(bytes))

/** What is watched. */
export type AlertSource = Pick<Offload, 'queues' | 'workers' | 'schedules' | 'work'>

/**
 * Tells of what a person should know. Each alert is a job of `task`: stored with what is remembered of the alert in one
 * step, so that it is told once however many processes watch, and tried again when telling fails.
 * Pass `task` to offload({ tasks }), then `start(queue)`. @throws OPTION_INVALID
 */
export function alerts(options: AlertOptions = {}): Alerts {
  return new Alerts(options, systemClock)
}

export class Alerts {
  readonly task: Task<Alert, Alert>
  readonly #plan: AlertPlan
  readonly #clock: Clock
  #open: () => Promise<Documents | undefined> = async () => undefined

  constructor(options: AlertOptions, clock: Clock) {
    this.#plan = planOf(options)
    this.#clock = clock
    const telling = task('offload.alert', {
      input: alertInput,
      queue: options.queue ?? QUEUE,
      priority: PRIORITY,
      ...(options.onDone === undefined ? {} : { onDone: options.onDone }),
      async run(alert, job) {
        await options.tell?.(alert, job)
        return alert
      },
    })
    this.task = {
      ...telling,
      bind: (open) => {
        this.#open = open
      },
    }
  }

  /** Watches this queue until it is stopped, with a worker of its own for the alerts. */
  start(queue: AlertSource): Watch {
    const stopping = new AbortController()
    const worker = queue.work({ queues: [this.task.queue], concurrency: 2 })
    const looking = this.#watch(queue, stopping.signal)
    return {
      stop: async () => {
        stopping.abort()
        await Promise.all([looking, worker.stop()])
      },
      worker,
    }
  }

  /** The alerts that last now, by rule and subject. @throws CAPABILITY_MISSING before `task` is given to a queue with a ledger */
  async active(): Promise<Alert[]> {
    const standing = await this.#standing(await this.#documents())
    return [...standing.values()].flatMap(({ held }) => held?.alert ?? [])
  }

  async #watch(queue: AlertSource, signal: AbortSignal): Promise<void> {
    const past = new Past(this.#plan.windowMs)
    let before: readonly Finding[] = []
    while (!signal.aborted) {
      try {
        const findings = await this.#look(queue, past, before)
        before = findings
      } catch {
        // The store is away: its workers say so, and there is nothing to write an alert to.
      }
      await sleep(this.#clock, this.#plan.everyMs, signal)
    }
  }

  /** One look. An alert is cleared when its rule was not met at this look and at the one before. */
  async #look(queue: AlertSource, past: Past, before: readonly Finding[]): Promise<Finding[]> {
    const documents = await this.#documents()
    const reading = await readingOf(queue, this.#clock.now(), this.task.queue)
    past.add(reading.queues, reading.at)
    const findings = findingsOf(this.#plan, reading, past)
    const names = new Set(before.map(nameOf))
    const standing = await this.#standing(documents)
    const changes: DocumentChange[] = []
    for (const finding of findings)
      changes.push(...(await this.#changes(nameOf(finding), standing, finding, reading.at)))
    const met = new Set(findings.map(nameOf))
    for (const name of standing.keys())
      if (!met.has(name) && !names.has(name))
        changes.push(...(await this.#changes(name, standing, undefined, reading.at)))
    for (const change of changes) await documents.write([change])
    return findings
  }

  async #changes(
    name: string,
    standing: ReadonlyMap<string, Held>,
    finding: Finding | undefined,
    at: number,
  ): Promise<DocumentChange[]> {
    const found = standing.get(name)
    const turn = turnOf(found?.held, finding, at, this.#plan.repeatMs)
    if (turn === undefined) return []
    const job = await makeJob(this.task, turn.alert, {}, this.#making(at))
    return [
      {
        kind: KIND,
        name,
        expected: found?.version ?? 0,
        value: turn.standing && JSON.stringify(turn.standing),
        jobs: [job],
      },
    ]
  }

  #making(now: number): Parameters<typeof makeJob>[3] {
    const tasks = [this.task, ...this.task.onDone.map(({ task }) => task)] as AnyTask[]
    return {
      now,
      newId,
      payloadBytes: DEFAULT_PAYLOAD_BYTES,
      tasks: new Map(tasks.map((one) => [one.name, one])),
    }
  }

  async #standing(documents: Documents): Promise<Map<string, Held>> {
    const found = await documents.list({ kind: KIND, limit: PAGE })
    return new Map(found.map((document) => [document.name, heldIn(document)]))
  }

  async #documents(): Promise<Documents> {
    const documents = await this.#open()
    if (documents !== undefined) return documents
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      'alerts are remembered in a ledger: give alerts.task to offload({ tasks }) of a queue that has one',
    )
  }
}

/** A watch that goes on until it is stopped. */
export interface Watch {
  stop(): Promise<void>
  /** Runs the jobs that tell. */
  readonly worker: Worker
}

interface Held {
  readonly version: number
  /** Undefined where it is no alert: it is told anew. */
  readonly held: Standing | undefined
}

function nameOf({ rule, subject }: Pick<Finding, 'rule' | 'subject'>): string {
  return `${rule}:${subject}`
}

/** Whoever can write the store may have written it. */
function heldIn({ name, value, version }: Document): Held {
  try {
    const held = decode(value) as Standing
    return { version, held: isAlert(held.alert) && nameOf(held.alert) === name ? held : undefined }
  } catch {
    return { version, held: undefined }
  }
}

/** The queue of the alerts is left out: an alert must not bring forth others. */
async function readingOf(queue: AlertSource, at: number, own: string): Promise<Reading> {
  const [queues, workers, schedules] = await Promise.all([
    queue.queues(),
    queue.workers(),
    allSchedules(queue),
  ])
  return { at, queues: queues.filter((depth) => depth.queue !== own), workers, schedules }
}

async function allSchedules({ schedules }: AlertSource): Promise<ScheduleView[]> {
  const all: ScheduleView[] = []
  for (let after: string | undefined; ; ) {
    const page = await schedules.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    all.push(...page.schedules)
    after = page.next
    if (after === undefined) return all
  }
}
