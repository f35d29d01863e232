import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { howMany } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import type { Finding, Setting } from './fault.ts'
import { Impossible, kept, withMutant } from './fault.ts'

/** What a power cut would take: a producer's system calls say whether its log was on the disk at every acknowledgement. */
export async function powerCut(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 500 : 30
  if (spawnSync('strace', ['-V']).status !== 0)
    throw new Impossible('system calls cannot be read here: install strace')
  await using scene = new Scene()
  const calls = join(scene.folder, 'calls.txt')
  const trace = ['strace', '-D', '-y', '-e', 'trace=pwrite64,fsync,fdatasync,write', '-o', calls]
  const produce = { ...withMutant(setting), role: 'produce', jobs, calls: 1, pauseMs: 0 } as const
  await scene.start(produce, [], trace).ended
  scene.start({ role: 'work', concurrency: 20, runMs: 1 })
  const result = await count(scene, setting.patienceMs)
  const read = () => readCalls(readFileSync(calls, 'utf8'))
  if (!(await scene.sees((lines) => read().acknowledged >= howMany(lines, 'P'), 3000)))
    throw new Impossible('system calls cannot be read here: strace may not trace')
  const { acknowledged, syncs, unsynced } = read()
  return {
    number: '17',
    fault: 'power cut after an acknowledgement',
    injected: 'the system calls of a producer, read by strace: writes to the log, fsyncs, acknowledgements',
    count: result,
    found: { ...kept(result), unsynced },
    seen: `${acknowledged} acknowledgements, ${syncs} fsyncs of the log; at ${acknowledged - unsynced.length} the whole log was on the disk`,
  }
}

/** How far the log was written, and how far synced, each time that something was acknowledged. */
function readCalls(text: string): { acknowledged: number; syncs: number; unsynced: string[] } {
  const unsynced: string[] = []
  let [acknowledged, syncs, dirty] = [0, 0, false]
  for (const line of text.split('\n')) {
    if (/^(\d+ +)?pwrite64\(\d+<[^>]*-wal>/.test(line)) dirty = true
    if (/^(\d+ +)?f(data)?sync\(\d+<[^>]*-wal>/.test(line)) {
      dirty = false
      syncs++
    }
    const [, id] = /^(?:\d+ +)?write\(\d+<[^>]*outside\.log>, "P\\t([^\\]+)/.exec(line) ?? []
    if (id === undefined) continue
    acknowledged++
    if (dirty) unsynced.push(id)
  }
  return { acknowledged, syncs, unsynced }
}
