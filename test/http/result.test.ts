import { closeSync, createReadStream, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { content, task } from 'offload'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { everyDoor, everyServer } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { bytes, echo, file, hold } from './tasks.ts'

const MiB = 1_048_576

const mirror = task('mirror', { input: z.json(), run: (input) => input })

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of buffers that are still in use; what one collection has found, the next one gives back. */
function heldBytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('a result that is JSON is sent alone', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      const answer = await shop.fetch(`/jobs/${id}/result`)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(await json(answer)).toEqual({ said: 'hi' })
    })

    test('a result of content() is sent as its bytes, type, length and name, and runs nothing on this origin', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(file, {
        name: 'Bericht "ü".html',
        type: 'text/html; charset=utf-8',
      })
      await shop.run(id)
      const answer = await shop.fetch(`/jobs/${id}/result`)
      const { headers } = answer
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes)
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(headers.get('content-length')).toBe(String(bytes.length))
      expect(headers.get('content-disposition')).toBe(
        "attachment; filename*=UTF-8''Bericht%20%22%C3%BC%22.html",
      )
      expect(headers.get('content-security-policy')).toContain('sandbox')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(await json(await shop.fetch(`/jobs/${id}`))).toMatchObject({ resultUrl: `/jobs/${id}/result` })
      const head = await shop.fetch(`/jobs/${id}/result`, { method: 'HEAD' })
      expect([head.status, await head.text(), head.headers.get('content-type')]).toEqual([
        200,
        '',
        'text/html; charset=utf-8',
      ])
    })

    test('a result that only looks like that of content(), as a client may have sent it, is JSON like any other', async () => {
      const shop = await openShop(door, { list: () => true }, { tasks: [mirror] })
      const type = 'text/plain'
      for (const parts of [
        null,
        7,
        { type: 'text/html\r\nset-cookie: a=b', base64: '' },
        { type: '\u0100/x', base64: '' },
        { type: `a/b;c=${' '.repeat(50_000)}\n`, base64: '' },
        { type, base64: 7 },
        { type, base64: '', filename: {} },
      ]) {
        const result = { 'offload:content': parts }
        const { id } = await shop.queue.enqueue(mirror, result)
        await shop.run(id)
        expect(await json(await shop.fetch(`/jobs/${id}/result`))).toEqual(result)
        expect(await json(await shop.fetch(`/jobs/${id}`))).toMatchObject({ state: 'done' })
        expect((await shop.fetch('/jobs')).status).toBe(200)
      }
    })

    test('a job that has not ended has no result yet: 409 with Retry-After', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const answer = await shop.fetch(`/jobs/${id}/result`)
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(await problem(answer, 409, 'RESULT_PENDING')).toMatchObject({ retryable: true })
    })

    test('a dead or cancelled job has none: 409', async () => {
      const shop = await openShop(door)
      const dead = await shop.queue.enqueue(echo, { text: 'bad' })
      await shop.run(dead.id)
      await problem(await shop.fetch(`/jobs/${dead.id}/result`), 409, 'JOB_DEAD')
      const cancelled = await shop.queue.enqueue(echo, { text: 'hi' })
      await cancelled.cancel()
      await problem(await shop.fetch(`/jobs/${cancelled.id}/result`), 409, 'JOB_CANCELLED')
    })

    test('a hook may send a result from elsewhere, point to it, or leave it as it is stored', async () => {
      const shop = await openShop(door, {
        result: (job) => {
          if (job.payload === undefined) return undefined
          const { text } = job.payload as { text: string }
          if (text === 'here')
            return new Response('from elsewhere', { headers: { 'content-type': 'text/plain' } })
          if (text === 'there')
            return new Response(null, { status: 303, headers: { location: 'https://files.example/1' } })
          if (text === 'broken') throw new Error('secret')
          if (text === 'none') return Response.error()
          return undefined
        },
      })
      const read = async (text: string): Promise<Response> => {
        const { id } = await shop.queue.enqueue(echo, { text })
        await shop.run(id)
        return shop.fetch(`/jobs/${id}/result`, { redirect: 'manual' })
      }
      const here = await read('here')
      expect([here.headers.get('content-type'), await here.text()]).toEqual(['text/plain', 'from elsewhere'])
      const there = await read('there')
      expect([there.status, there.headers.get('location')]).toEqual([303, 'https://files.example/1'])
      expect(await json(await read('stored'))).toEqual({ said: 'stored' })
      expect(JSON.stringify(await problem(await read('broken'), 500))).not.toContain('secret')
      await problem(await read('none'), 500)
    })
  })

for (const door of everyServer)
  describe(`behind ${door}`, () => {
    test('a file of 50 MB is streamed by a hook, and never held in memory', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'offload-result-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      const path = join(folder, 'file')
      const descriptor = openSync(path, 'w')
      ftruncateSync(descriptor, 50 * MiB)
      closeSync(descriptor)
      const shop = await openShop(door, {
        result: () =>
          new Response(Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>, {
            headers: { 'content-length': String(50 * MiB) },
          }),
      })
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      const before = heldBytes()
      let most = 0
      let length = 0
      const answer = await shop.fetch(`/jobs/${id}/result`)
      expect(answer.headers.get('content-length')).toBe(String(50 * MiB))
      for await (const part of answer.body ?? []) {
        if ((length % (5 * MiB)) + part.length >= 5 * MiB) most = Math.max(most, heldBytes() - before)
        length += part.length
      }
      expect(length).toBe(50 * MiB)
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThan(10 * MiB)
    })

    test('a result that breaks off ends its connection, and nothing else', async () => {
      let broken = 0
      const breaking = (): ReadableStream<Uint8Array> =>
        new ReadableStream({
          pull(controller) {
            if (broken++ % 2 === 0) controller.enqueue(bytes)
            else controller.error(new Error('the place where it was kept is gone'))
          },
        })
      const shop = await openShop(door, { result: () => new Response(breaking()) })
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      for (let tries = 0; tries < 2; tries++)
        await expect(shop.fetch(`/jobs/${id}/result`).then((answer) => answer.text())).rejects.toThrow()
      expect((await shop.fetch(`/jobs/${id}`)).status).toBe(200)
    })

    test('what a client does not take is not read ahead, and given up when it leaves', async () => {
      let read = 0
      let left: () => void = () => {}
      const given = new Promise<void>((resolve) => {
        left = resolve
      })
      const endless = (): ReadableStream<Uint8Array> =>
        new ReadableStream({
          pull(controller) {
            read += 65_536
            controller.enqueue(new Uint8Array(65_536))
          },
          cancel: () => left(),
        })
      const shop = await openShop(door, { result: () => new Response(endless()) })
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      const client = request(`${shop.url}/jobs/${id}/result`)
      client.on('error', () => undefined)
      client.end()
      await new Promise((resolve) => client.once('response', resolve))
      let before = -1
      await expect
        .poll(
          () => {
            const isStill = read === before
            before = read
            return isStill
          },
          { interval: 100 },
        )
        .toBe(true)
      expect(read).toBeLessThan(40 * MiB)
      client.destroy()
      await given
    })
  })

test('content() refuses what is no media type', () => {
  for (const type of ['', 'text', 'text/html\r\nx: y', 'a b/c', '*/*', `a/b;c=${' '.repeat(50_000)}\n`])
    expect(() => content('x', { type })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  expect(() => content('x', undefined as never)).toThrow()
})
