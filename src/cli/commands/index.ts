import type { Command } from '../command.ts'
import { cancel } from './cancel.ts'
import { completion } from './completion.ts'
import { dashboard } from './dashboard.ts'
import { dead } from './dead.ts'
import { depth } from './depth.ts'
import { doctor } from './doctor.ts'
import { enqueue } from './enqueue.ts'
import { job } from './job.ts'
import { jobs } from './jobs.ts'
import { migrate } from './migrate.ts'
import { pause, resume } from './pause.ts'
import { retry } from './retry.ts'
import { scale } from './scale.ts'
import { schedules } from './schedules.ts'
import { watch } from './watch.ts'
import { work } from './work.ts'
import { workers } from './workers.ts'

/** Everything the program can do, as help lists it. */
export const commands: readonly Command[] = [
  work,
  scale,
  enqueue,
  jobs,
  job,
  watch,
  depth,
  workers,
  dashboard,
  ...dead,
  pause,
  resume,
  cancel,
  retry,
  ...schedules,
  migrate,
  doctor,
  completion,
]
