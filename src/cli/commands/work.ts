import { checkName } from '../../job/id.ts'
import type { Offload } from '../../offload.ts'
import { offload } from '../../offload.ts'
import type { Schedule } from '../../schedule/schedule.ts'
import { hideSecrets } from '../../secrets.ts'
import type { AnyTask } from '../../task.ts'
import type { WorkOptions } from '../../worker/work-plan.ts'
import type { Call } from '../call.ts'
import type { Command } from '../command.ts'
import { readableLogger } from '../logger.ts'
import type { Loaded } from '../module.ts'
import { loadModule } from '../module.ts'
import { nearest } from '../nearest.ts'
import type { Counts } from '../probes.ts'
import { addressOf, countsOf, Probes } from '../probes.ts'
import { whenOf } from '../schedules.ts'
import { untilSignal } from '../signals.ts'
import { placeOf } from '../store.ts'

export const work: Command = {
  name: 'work',
  args: '<module>',
  takes: [1, 1],
  summary: 'runs the jobs of the tasks that a module exports, until a signal',
  options: [
    {
      name: 'queues',
      value: '<a,b>',
      help: 'the queues to work on; those of the tasks unless told otherwise',
      many: true,
    },
    { name: 'concurrency', value: '<n>', help: 'handlers that run at once; 10 unless told otherwise' },
    {
      name: 'lease',
      value: '<duration>',
      help: 'how long a claim lasts without a sign of life; 30s unless told otherwise',
    },
    {
      name: 'timeout',
      value: '<duration>',
      help: 'how long running handlers may take to end at a stop; 20s unless told otherwise',
    },
    {
      name: 'health',
      value: '<[host:]port>',
      help: 'serves /livez, /readyz and /metrics there, to this host alone unless a host is named',
    },
  ],
  about: [
    'The module is a path or a package, seen from here. It exports what task() and schedule() made, lists of it, or the',
    'queue that offload() made; with such a queue its own URL and schedules count, unless --url is given.',
    'SIGTERM and SIGINT stop it: nothing more is claimed, running handlers end, the rest is given back and costs no',
    'attempt. A second signal ends it at once (130, 143); what ran then runs again when its lease is over.',
    '/readyz is 503, and says why, while it stops, cannot reach its backend, has stopped claiming, or was blocked. /metrics',
    'needs prom-client, and for a queue of the module what metrics() counts there.',
  ],
  async run(call) {
    // Jobs go on when nobody reads what is printed.
    call.terminal.whenClosed = 'goOn'
    const [specifier = ''] = call.args
    const stopTimeout = call.duration('timeout') ?? '20s'
    const loaded = await loadModule(specifier, process.cwd())
    const { tasks, queue: exported } = loaded
    const own = call.flag('url') ? undefined : exported
    const address = addressOf(call.text('health'))
    const counts = address === undefined ? undefined : await countsOf(own)
    const queue = own ?? open(call, loaded, counts)
    const options = optionsOf(call)
    warnOfStrangers(call, options.queues ?? [], tasks)
    const signalled = untilSignal(() => call.terminal.note('ended by force'))
    let probes: Probes | undefined
    try {
      if (address !== undefined) probes = await Probes.listen(address, queue.observed, counts)
      await queue.ready()
      if (own !== undefined) await warnOfLost(call, own, loaded.schedules)
      const worker = queue.work(options)
      if (own !== undefined)
        worker.on('error', ({ error }) => call.terminal.note(`trouble: ${hideSecrets(String(error))}`))
      tellStart(call, options, loaded, own !== undefined, probes?.url)
      const signal = await signalled
      const { running } = worker.health()
      call.terminal.data({ event: 'stopping', signal, running })
      call.terminal.print(`${signal}: stopping, ${running} running; again to end at once`)
      await worker.stop({ timeout: stopTimeout })
    } finally {
      await queue.close()
      probes?.close()
    }
    call.terminal.data({ event: 'stopped' })
    call.terminal.print('stopped')
    return 0
  },
}

function open(call: Call, { tasks, schedules }: Loaded, counts: Counts | undefined): Offload {
  const { url, ledger } = placeOf(call)
  return offload({
    url,
    tasks,
    schedules,
    logger: readableLogger(call.terminal),
    observe: counts?.observer === undefined ? [] : [counts.observer],
    ...(ledger === undefined ? {} : { ledger }),
  })
}

function optionsOf(call: Call): WorkOptions {
  const [queues, concurrency, lease] = [
    call.list('queues'),
    call.number('concurrency'),
    call.duration('lease'),
  ]
  return {
    ...(queues === undefined ? {} : { queues: queues.map((name) => checkName('queue', name)) }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(lease === undefined ? {} : { lease }),
  }
}

/** A slip in the name of a queue would be a worker that waits for ever. */
function warnOfStrangers(call: Call, queues: readonly string[], tasks: readonly AnyTask[]): void {
  const known = new Set(tasks.map(({ queue }) => queue))
  if (known.size === 0) return
  for (const queue of queues) {
    if (known.has(queue)) continue
    const near = nearest(queue, known)
    call.terminal.note([
      { text: 'warning:', style: 'yellow' },
      ` no task of the module goes to queue ${queue}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    ])
  }
}

/** A queue stores the schedules that it was made with; one that was forgotten there would never tick. */
async function warnOfLost(call: Call, queue: Offload, schedules: readonly Schedule[]): Promise<void> {
  for (const { name } of schedules) {
    if ((await queue.schedules.get(name)) !== undefined) continue
    call.terminal.note([
      { text: 'warning:', style: 'yellow' },
      ` schedule ${name} is exported, but not stored: give it to the queue, offload({ schedules: [...] })`,
    ])
  }
}

function tellStart(
  call: Call,
  options: WorkOptions,
  { tasks, schedules }: Loaded,
  isOwn: boolean,
  health: string | undefined,
): void {
  const queues = options.queues ?? [...new Set(tasks.map(({ queue }) => queue))]
  const names = tasks.map(({ name }) => name)
  const { concurrency = 10 } = options
  const ticks = schedules.map(({ name, timing }) => `${name} (${whenOf(timing)})`)
  const url = isOwn ? undefined : hideSecrets(placeOf(call).url)
  call.terminal.data({
    event: 'started',
    pid: process.pid,
    queues,
    tasks: names,
    schedules: schedules.map(({ name }) => name),
    concurrency,
    url,
    health,
  })
  call.terminal.print(
    `working on ${queues.join(', ') || 'the queues of its tasks'}, ${concurrency} at once, ${url ?? "the module's own queue"}`,
    ...(names.length === 0 ? [] : [`tasks: ${names.join(', ')}`]),
    ...(ticks.length === 0 ? [] : [`schedules: ${ticks.join(', ')}`]),
    ...(health === undefined ? [] : [`health: ${health}/readyz`]),
  )
}
