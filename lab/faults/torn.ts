import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { OffloadError, offload } from '../../src/index.ts'
import type { Line } from '../outside.ts'
import { howMany } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import { jobsOf } from '../store.ts'
import { readWal, tears, tornCheckpoint } from '../wal.ts'
import type { Finding, Setting } from './fault.ts'
import { kept, withMutant } from './fault.ts'

/** The log of killed processes is torn in many ways, and each remainder is opened. */
export async function tornWrites(setting: Setting): Promise<Finding> {
  const { form, random, patienceMs } = setting
  const [jobs, times] = form === 'long' ? [200, 350] : [60, 49]
  await using scene = new Scene()
  await makeStore(scene.file)
  const untouched = keepLog(scene.file)
  const own = { ...withMutant(setting), notesLog: true } as const
  const children = [
    scene.start({ ...own, role: 'produce', jobs: jobs * 2, calls: 1 }),
    scene.start({ ...own, role: 'work', runMs: 1, concurrency: 4 }),
  ]
  await scene.sees((lines) => howMany(lines, 'P') >= jobs)
  for (const { child } of children) child.kill('SIGKILL')
  for (const { ended } of children) await ended
  const lines = scene.outside.read()
  const file = readFileSync(scene.file)
  const wal = readWal(readFileSync(`${scene.file}-wal`))
  untouched.close()

  const torn: string[] = []
  let refused = 0
  const look = async (how: string, db: Buffer, log: Buffer, soundTo: number): Promise<void> => {
    const answer = await lookAt(scene.folder, db, log, (state) => missing(lines, soundTo, state))
    if (typeof answer === 'string') refused++
    else torn.push(...answer.map((what) => `${how}, sound to byte ${soundTo}: ${what}`))
  }
  for (const { how, bytes, soundTo } of tears(wal, times, random)) await look(how, file, bytes, soundTo)
  await look('a torn checkpoint', tornCheckpoint(file, wal), wal.bytes, wal.bytes.length)
  scene.start({ role: 'work', concurrency: 20 })
  const result = await count(scene, patienceMs)
  const ends = howMany(lines, 'D')
  return {
    number: '17',
    fault: 'writes torn beneath SQLite',
    injected: `the log of processes killed with -9 (${wal.frames.length} frames, ${jobs} jobs and ${ends} ends acknowledged at known sizes), cut, spoilt and zeroed at ${times} places; a torn checkpoint`,
    count: result,
    found: { ...kept(result), torn },
    seen: `${times + 1} remainders: ${times + 1 - refused} opened, sound by SQLite's own check, with every job and end that was acknowledged before the tear; ${refused} refused with a code`,
  }
}

async function makeStore(file: string): Promise<void> {
  await using queue = offload({ url: `sqlite:${file}`, tasks: [] })
  await queue.ready()
}

/** A reader from before the first write: while it reads, SQLite can neither copy the log into the file nor begin it anew. */
function keepLog(file: string): DatabaseSync {
  const reader = new DatabaseSync(file, { readOnly: true })
  reader.exec('begin; select count(*) from sqlite_schema')
  return reader
}

/** What was acknowledged when the log was no longer than `soundTo`, and is not there. */
function missing(lines: readonly Line[], soundTo: number, state: (id: string) => string): string[] {
  return lines
    .filter(({ kind, value }) => (kind === 'P' || kind === 'D') && value <= soundTo)
    .filter(({ kind, id }) => (kind === 'P' ? state(id) === 'unknown' : state(id) !== 'done'))
    .map(({ kind, id }) => `${id} ${kind === 'P' ? 'is gone' : 'is not done'}`)
}

/** What is wrong with a store of these bytes; or the code with which it is refused. */
async function lookAt(
  folder: string,
  db: Buffer,
  log: Buffer,
  missingFrom: (state: (id: string) => string) => string[],
): Promise<string[] | string> {
  const place = mkdtempSync(join(folder, 'torn-'))
  const path = join(place, 'queue.db')
  writeFileSync(path, db)
  writeFileSync(`${path}-wal`, log)
  try {
    const jobs = await jobsOf(path)
    return [...unsound(path), ...missingFrom((id) => jobs.get(id)?.state ?? 'unknown')]
  } catch (error) {
    return error instanceof OffloadError ? error.code : [`refused without a code: ${String(error)}`]
  } finally {
    rmSync(place, { recursive: true })
  }
}

function unsound(path: string): string[] {
  const db = new DatabaseSync(path)
  const rows = db.prepare('pragma integrity_check').all()
  db.close()
  return rows.map((row) => String(row.integrity_check)).filter((said) => said !== 'ok')
}
