import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, test, vi } from 'vitest'
import { tickId } from '../src/job/id.ts'

const EVERY_MS = 100
const names = ['a', 'b', 'c']
const folder = mkdtempSync(join(tmpdir(), 'offload-schedules-crash-'))
const file = join(folder, 'queue.db')
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<ChildProcess> {
  const program = join(import.meta.dirname, 'fixtures', 'ticking.ts')
  const child = fork(program, [JSON.stringify({ file, everyMs: EVERY_MS, names })], { execArgv: [] })
  children.push(child)
  await once(child, 'message')
  return child
}

/** What another program sees in the file. */
function look(sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    db.close()
  }
}

/** When the first tick was due, and the next one is. */
function ticksOf(name: string): { first: number; next: number } {
  const [row] = look(`select due, value from documents where kind = 'schedule' and name = '${name}'`)
  const { anchor } = JSON.parse(String(row?.value)) as { anchor: number }
  return { first: anchor + EVERY_MS, next: Number(row?.due) }
}

/** The ids of the jobs that were ever accepted, as often as they were. */
function accepted(): string[] {
  const bodies = look('select body from events').map(({ body }) => JSON.parse(String(body)) as StoredEvent[])
  return bodies.flat().flatMap(([type, , , , ids]) => (type === 'accepted' ? ids : []))
}

type StoredEvent = [type: string, queue: string, task: string, attempt: number, ids: string[]]

test('three processes tick together, two are killed one after the other: a job a tick, none missing, none twice', async () => {
  const [first, second, third] = await Promise.all([start(), start(), start()])
  const begun = ticksOf('a').first
  const ticked = (ms: number): Promise<void> =>
    vi.waitFor(() => expect(ticksOf('a').next).toBeGreaterThan(begun + ms), { timeout: 20_000, interval: 20 })

  await ticked(1000)
  first.kill('SIGKILL')
  await once(first, 'exit')
  await ticked(2000)
  second.kill('SIGKILL')
  await once(second, 'exit')
  await ticked(3500)
  third.send('stop')
  expect(await once(third, 'exit')).toEqual([0, null])

  const expected: string[] = []
  for (const name of names) {
    const { first: from, next } = ticksOf(name)
    expect(next - from).toBeGreaterThan(3000)
    for (let tick = from; tick < next; tick += EVERY_MS) expected.push(tickId(name, tick))
  }
  const jobs = look('select id from jobs').map(({ id }) => String(id))
  expect(jobs.sort()).toEqual(expected.toSorted())
  expect(accepted().sort()).toEqual(jobs)
}, 60_000)
