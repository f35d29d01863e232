import { untold } from '../checks.ts'
import { howMany } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import type { Finding, Setting } from './fault.ts'
import { kept, withMutant } from './fault.ts'

const LEASE_MS = 600

/** A worker ends its jobs when it has long lost the leases and another runs them: the ends come too late. */
export function lateEnd(setting: Setting): Promise<Finding> {
  return late(setting, {
    fault: 'a job is ended while the lease is lost',
    injected: 'SIGSTOP in the run until another worker runs the jobs, SIGCONT, then the handler ends',
    throws: false,
    isElsewhere: 'C',
  })
}

/** A handler throws when another worker has long done its job: the retry it asks for comes too late. */
export function lateThrow(setting: Setting): Promise<Finding> {
  return late(setting, {
    fault: 'a handler throws while the lease is lost',
    injected: 'SIGSTOP in the run until another worker has done the jobs, SIGCONT, then the handler throws',
    throws: true,
    isElsewhere: 'D',
  })
}

interface Late {
  readonly fault: string
  readonly injected: string
  readonly throws: boolean
  /** What is to have happened elsewhere before the late one goes on. */
  readonly isElsewhere: 'C' | 'D'
}

async function late(setting: Setting, { fault, injected, throws, isElsewhere }: Late): Promise<Finding> {
  const jobs = setting.form === 'long' ? 50 : 4
  await using scene = new Scene()
  const own = withMutant(setting)
  await scene.start({ ...own, role: 'produce', jobs, pauseMs: 0 }).ended
  const work = { ...own, role: 'work', leaseMs: LEASE_MS, concurrency: jobs } as const
  const paused = scene.start({ ...work, runMs: 400, throws, watched: true })
  await scene.sees((lines) => howMany(lines, 'S') >= jobs)
  paused.child.kill('SIGSTOP')
  const other = scene.start({ ...work, runMs: isElsewhere === 'C' ? 800 : 1 })
  await scene.sees(
    (lines) =>
      lines.filter(({ kind, pid }) => kind === isElsewhere && pid === other.child.pid).length >= jobs,
  )
  paused.child.kill('SIGCONT')
  await scene.sees((lines) => untold(lines).length === 0, setting.patienceMs)
  const result = await count(scene, setting.patienceMs)
  return {
    number: '4',
    fault,
    injected,
    count: result,
    found: { ...kept(result), untold: untold(result.lines) },
    seen: `${howMany(result.lines, 'L')} of ${jobs} late ends refused and told by the event \`lost\`; each job done once, by the other worker`,
  }
}
