import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { AnyTask, Offload } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { tickId } from '../src/job/id.ts'
import { silentLogger } from '../src/log.ts'
import * as fixtures from './fixtures/isolated.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-isolated-'))
const tasks = Object.values(fixtures) as AnyTask[]
const queue: Offload = offload({ url: `sqlite:${join(folder, 'jobs.db')}`, tasks, logger: silentLogger })
queue.work({ concurrency: 2 })
afterAll(async () => {
  await queue.close()
  rmSync(folder, { recursive: true, force: true })
})

const kinds = [
  {
    kind: 'thread',
    works: fixtures.threadWorks,
    throws: fixtures.threadThrows,
    spins: fixtures.threadSpins,
    exits: fixtures.threadExits,
    discards: fixtures.threadDiscards,
  },
  {
    kind: 'process',
    works: fixtures.processWorks,
    throws: fixtures.processThrows,
    spins: fixtures.processSpins,
    exits: fixtures.processExits,
    discards: fixtures.processDiscards,
  },
]

for (const { kind, works, throws, spins, exits, discards } of kinds) {
  describe(`a handler in a ${kind}`, () => {
    test('ends with its result; progress, log lines and follow-up work reach the queue', async () => {
      const handle = await queue.enqueue(works, { n: 21 })
      const { doubled, id } = await handle.result({ timeout: '20s' })
      expect(doubled).toBe(42)
      expect(await queue.result(id, { timeout: '20s' })).toBe(22)
      const job = await queue.get(handle.id)
      expect(job?.progress).toEqual({ half: true })
      expect(job?.log.map(({ message }) => message)).toEqual(['inside'])
    })

    test('is told for which tick of a schedule it runs', async () => {
      const tick = Date.UTC(2030, 11, 31, 3)
      const handle = await queue.enqueue(works, { n: 1 }, { id: tickId(`every.${kind}`, tick) })
      expect(await handle.result({ timeout: '20s' })).toMatchObject({ scheduledFor: tick })
    })

    test('fails with the error that it threw', async () => {
      const handle = await queue.enqueue(throws, { n: 1 })
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
      expect((await queue.get(handle.id))?.error).toMatchObject({ name: 'RangeError', message: 'out of it' })
    })

    test('that never gives the processor back is killed at the timeout, and the worker goes on', async () => {
      const handle = await queue.enqueue(spins, { n: 1 })
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
      expect((await queue.get(handle.id))?.error?.code).toBe('JOB_TIMEOUT')
      expect(await (await queue.enqueue(works, { n: 1 })).result({ timeout: '20s' })).toMatchObject({
        doubled: 2,
      })
    })

    test('that ends its own process is told as such', async () => {
      const handle = await queue.enqueue(exits, { n: 1 })
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
      expect((await queue.get(handle.id))?.error?.code).toBe('ISOLATE_FAILED')
    })

    test('may discard its job', async () => {
      const handle = await queue.enqueue(discards, { n: 1 })
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
      expect((await queue.get(handle.id))?.error).toMatchObject({ code: 'DISCARDED', message: 'not wanted' })
    })
  })
}

test('an isolated task needs to say which module exports it', () => {
  expect(() => task('x', { input: z.object({}), isolate: 'thread', run() {} })).toThrow(
    /module: import\.meta\.url/,
  )
})
