import type { Backend } from '../../backend.ts'
import { openBackend } from '../../backends/registry.ts'
import { systemClock } from '../../clock.ts'
import { toMs } from '../../duration.ts'
import { checkName } from '../../job/id.ts'
import type { Migrated } from '../../migrate/migrate.ts'
import { migrate as move, whatToMove } from '../../migrate/migrate.ts'
import type { Counts } from '../../migrate/survey.ts'
import { hideSecrets } from '../../secrets.ts'
import type { Call } from '../call.ts'
import { usageError } from '../call.ts'
import type { Command } from '../command.ts'
import { agreed, checkAsks, yesOption } from '../confirm.ts'
import { readableLogger } from '../logger.ts'
import { progress } from '../progress.ts'
import { backendOptions, checkShared, existing } from '../store.ts'

const WAIT = '60s'
/** So many of what is left are told one by one. */
const TOLD = 20

export const migrate: Command = {
  name: 'migrate',
  args: '<from> <to>',
  takes: [2, 2],
  summary: 'moves all waiting and dead jobs, schedules and pauses to another store',
  options: [
    { name: 'dry-run', help: 'tell what would be moved, and change nothing' },
    { name: 'wait', value: '<duration>', help: `how long running jobs may take to end; ${WAIT} if left out` },
    {
      name: 'queue',
      value: '<name>',
      help: 'a queue without jobs, whose pause goes along all the same; may be given several times',
      many: true,
    },
    { name: 'anew', help: 'forget that a move to another place was begun and not finished' },
    yesOption,
  ],
  about: [
    'Both are URLs, e.g. offload migrate sqlite:jobs.db redis://host. Killed at any instant, it goes on when it is run again.',
    'The queues of the old store are paused, and stay so. The exit code is 1 when something stays there.',
  ],
  async run(call) {
    const [from = '', to = ''] = call.args
    checkPlaces(call, from, to)
    if (call.flag('dry-run')) return opened(call, from, (source) => tellPlan(call, source))
    checkAsks(call, 'migrate')
    const waitMs = toMs(call.duration('wait') ?? WAIT, '--wait')
    const queues = (call.list('queue') ?? []).map((name) => checkName('queue', name))
    return opened(call, from, (source) =>
      opened(call, to, async (target) => {
        const { jobs } = await whatToMove(source)
        const names = [hideSecrets(from), hideSecrets(to)]
        if (!(await agreed(call, `move ${counted(jobs)} from ${names[0]} to ${names[1]}?`))) return 1
        const moved = await move(source, target, {
          clock: systemClock,
          to: hideSecrets(to),
          waitMs,
          queues,
          anew: call.flag('anew'),
          onProgress: progressOf(call),
        })
        await call.terminal.flush()
        return tell(call, moved)
      }),
    )
  },
}

/** @throws USAGE_INVALID, BACKEND_UNAVAILABLE */
function checkPlaces(call: Call, from: string, to: string): void {
  if (call.flag('url') || call.flag('ledger'))
    throw usageError('offload migrate takes no --url and no --ledger: it is told both places, <from> <to>')
  existing({ url: from, ledger: undefined })
  checkShared(to)
}

async function opened(call: Call, url: string, use: (backend: Backend) => Promise<number>): Promise<number> {
  const backend = await openBackend(url, undefined, backendOptions(readableLogger(call.terminal)))
  try {
    return await use(backend)
  } finally {
    await backend.close()
  }
}

/** The bar begins anew where more has been found. */
function progressOf({ terminal }: Call): (done: number, total: number) => void {
  let shown = { total: 0, tell: progress(terminal, 'moving', 0) }
  return (done, total) => {
    if (shown.total !== total) shown = { total, tell: progress(terminal, 'moving', total) }
    shown.tell(done)
  }
}

async function tellPlan({ terminal }: Call, source: Backend): Promise<number> {
  const plan = await whatToMove(source)
  terminal.data({ dryRun: true, ...plan })
  terminal.print(`would move ${counted(plan.jobs)}`)
  for (const name of plan.documents) terminal.print(`would move ${name}`)
  for (const queue of plan.paused) terminal.print(`would pause ${queue} there, as it is here`)
  for (const worker of plan.running) terminal.print(`would wait for ${worker}`)
  return 0
}

function tell({ terminal }: Call, moved: Migrated): number {
  const { jobs, documents, paused, idle, left, remaining } = moved
  terminal.data(moved)
  terminal.print(`moved ${counted(jobs)}`)
  for (const name of documents) terminal.print(`moved ${name}`)
  if (paused.length > 0) terminal.print(`paused there, as before: ${paused.join(', ')}`)
  if (idle.length > 0)
    terminal.print(`paused there, though not here: ${idle.join(', ')}; \`offload resume\` lets them go on`)
  for (const { what, why } of left.slice(0, TOLD)) terminal.print(`left: ${what}: ${why}`)
  if (left.length > TOLD) terminal.print(`left: ${left.length - TOLD} more; --json tells all`)
  if (remaining > 0)
    terminal.print(
      `${remaining} jobs came to the old store meanwhile: point its producers to the new one, then run this again`,
    )
  const isAll = left.length === 0 && remaining === 0
  if (isAll)
    terminal.print('nothing is left in the old store but jobs that had ended; its queues stay paused')
  return isAll ? 0 : 1
}

function counted({ queued, scheduled, dead }: Counts): string {
  return `${queued} waiting, ${scheduled} scheduled and ${dead} dead jobs`
}
