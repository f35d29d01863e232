import { checkName } from '../../job/id.ts'
import type { Check } from '../../observe/health/health.ts'
import type { Offload } from '../../offload.ts'
import { offload } from '../../offload.ts'
import type { WorkOptions } from '../../worker/work-plan.ts'
import type { Call } from '../call.ts'
import type { Command } from '../command.ts'
import { readableLogger } from '../logger.ts'
import type { Loaded } from '../module.ts'
import { loadModule } from '../module.ts'
import { poolOf, poolPlan } from '../pool.ts'
import { ownPool } from '../pool-worker.ts'
import type { Counts } from '../probes.ts'
import { addressOf, countsOf, Probes } from '../probes.ts'
import { heedSignals } from '../signals.ts'
import { checkShared, placeOf } from '../store.ts'
import type { Shift } from '../worker.ts'
import { begin, runInPool, runUntilSignal, tellStopped } from '../worker.ts'

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
      name: 'min',
      value: '<n>',
      help: 'worker processes at least, 0 for none while nothing is due; 1 where --max is given',
    },
    { name: 'max', value: '<n>', help: 'worker processes at most; as many as cores where --min is given' },
    {
      name: 'target-age',
      value: '<duration>',
      help: 'how long a job may wait before there are more processes; 5s unless told otherwise',
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
    'With --min or --max it starts and retires processes of --concurrency handlers each, as many as the queues need, tells each',
    'change with its reason, and replaces those that crash.',
    '/readyz is 503, and says why, while it stops, cannot reach its backend, has stopped claiming, or was blocked. /metrics',
    'needs prom-client, and for a queue of the module what metrics() counts there.',
    'Of a pool they are those of all its processes, together; it is not ready while none of them works.',
  ],
  async run(call) {
    // Jobs go on when nobody reads what is printed.
    call.terminal.whenClosed = 'goOn'
    const pool = ownPool()
    const plan = pool === undefined ? poolPlan(call) : undefined
    const [specifier = ''] = call.args
    const loaded = await loadModule(specifier, process.cwd())
    const own = call.flag('url') ? undefined : loaded.queue
    if (plan !== undefined && own === undefined) checkShared(placeOf(call).url)
    // The workers of a pool leave the port to the process that started them.
    const address = pool === undefined ? addressOf(call.text('health')) : undefined
    const counts = call.text('health') === undefined ? undefined : await countsOf(own)
    const shift: Shift = {
      call,
      loaded,
      isOwn: own !== undefined,
      queue: own ?? open(call, loaded, counts),
      options: optionsOf(call),
      stopTimeout: call.duration('timeout') ?? '20s',
    }
    if (pool !== undefined) {
      await runInPool(shift, pool, counts)
      return 0
    }
    const signals = heedSignals()
    signals.onForced = () => call.terminal.note('ended by force')
    let probes: Probes | undefined
    try {
      const processes = plan && (await poolOf(shift, plan, counts?.register))
      if (address !== undefined) {
        const more = (): readonly Check[] => (processes === undefined ? [] : [processes.check()])
        probes = await Probes.listen(address, shift.queue.observed, processes?.metrics ?? counts, more)
      }
      await begin(shift, plan, probes?.url)
      if (processes === undefined) await runUntilSignal(shift, signals)
      else await processes.run(signals)
    } finally {
      await shift.queue.close()
      probes?.close()
    }
    tellStopped(call)
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
