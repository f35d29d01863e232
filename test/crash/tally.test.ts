import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Noted } from '../../lab/tally.ts'
import { idOf, noted, numbersOf, reckon, Tally } from '../../lab/tally.ts'

const [PRODUCER, WORKER, OTHER] = [1, 2, 3]
const nobody = new Set<number>()
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offload-tally-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

async function note(kind: Noted, process: number, jobs: readonly number[]): Promise<void> {
  const tally = new Tally(folder, kind, process)
  await Promise.all(jobs.map((nth) => tally.note(PRODUCER, nth)))
}

test('jobs that were accepted, run and told to be done are in order', async () => {
  await note('accepted', PRODUCER, [0, 1, 2])
  await note('ran', WORKER, [0, 1, 2])
  await note('done', WORKER, [0, 1, 2])
  expect(noted(folder, 'done')).toBe(3)
  expect(reckon(folder, nobody)).toEqual({
    accepted: 3,
    done: 3,
    lost: 0,
    finishedTwice: 0,
    ranAgain: 0,
    endUnnoted: 0,
    answerUnnoted: 0,
    examples: [],
  })
})

test('a job that was accepted and never ran is lost', async () => {
  await note('accepted', PRODUCER, [0, 1])
  await note('ran', WORKER, [0])
  await note('done', WORKER, [0])
  expect(reckon(folder, nobody)).toMatchObject({ lost: 1, examples: [idOf(PRODUCER, 1)] })
})

test('a job that ran and has no end is lost, unless who ran it was killed before it could note the end', async () => {
  await note('accepted', PRODUCER, [0])
  await note('ran', WORKER, [0])
  expect(reckon(folder, nobody)).toMatchObject({ lost: 1, endUnnoted: 0 })
  expect(reckon(folder, new Set([WORKER]))).toMatchObject({ lost: 0, endUnnoted: 1 })
})

test('a job that two workers were told is done was finished twice', async () => {
  await note('accepted', PRODUCER, [0, 1])
  await note('ran', WORKER, [0, 1])
  await note('ran', OTHER, [0, 1])
  await note('done', WORKER, [0, 1])
  await note('done', OTHER, [1])
  expect(reckon(folder, nobody)).toMatchObject({ lost: 0, finishedTwice: 1, ranAgain: 2 })
})

test('a job that ran before its producer could note the answer is told apart', async () => {
  await note('ran', WORKER, [7])
  await note('done', WORKER, [7])
  expect(reckon(folder, nobody)).toMatchObject({ accepted: 0, lost: 0, answerUnnoted: 1 })
})

test('more than fits one write is noted, and a record that a kill cut off is left out', async () => {
  const jobs = Array.from({ length: 200_000 }, (_, nth) => nth)
  await note('accepted', PRODUCER, jobs)
  writeFileSync(join(folder, `accepted-${PRODUCER}`), Buffer.alloc(3), { flag: 'a' })
  expect(noted(folder, 'accepted')).toBe(200_000)
  expect(reckon(folder, nobody)).toMatchObject({ accepted: 200_000, lost: 200_000 })
})

test('an id holds its two numbers', () => {
  expect(numbersOf(idOf(12, 34_567))).toEqual([12, 34_567])
})
