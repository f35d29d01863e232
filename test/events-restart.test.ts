import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { jobRoutes } from 'offload/http'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'

const folder = mkdtempSync(join(tmpdir(), 'offload-events-restart-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const greet = task('greet', { input: z.object({ name: z.string() }), run: ({ name }) => `hello ${name}` })
const open = (): Offload => offload({ url: `sqlite:${join(folder, 'queue.db')}`, tasks: [greet] })

/** What one who comes back after an event is told: the ids and names of events, or the status without any. */
async function toldAfter(queue: Offload, id: string, lastEventId: number): Promise<string[] | number> {
  const request = new Request(`http://shop.example/jobs/${id}/events`, {
    headers: { 'last-event-id': String(lastEventId) },
  })
  const response = await jobRoutes(queue)(request)
  if (response?.status !== 200) return response?.status ?? 404
  return [...(await response.text()).matchAll(/^id: (\d+)\nevent: (\w+)$/gm)].map(
    ([, number, name]) => `${number} ${name}`,
  )
}

test('a process that is new tells of an end before it says that there is no more, whatever else has happened', async () => {
  let first = 0
  let id = ''
  {
    await using queue = open()
    const handle = await queue.enqueue(greet, { name: 'you' })
    id = handle.id
    first = (await queue.get(id))?.eventId ?? 0
    queue.work()
    await handle.result()
    await (await queue.enqueue(greet, { name: 'another' })).result()
  }
  const told = [`${first + 1} started`, expect.stringContaining('done')]
  for (let process = 0; process < 3; process++) {
    await using queue = open()
    expect(
      await Promise.all([
        toldAfter(queue, id, first),
        toldAfter(queue, id, first + 2),
        toldAfter(queue, id, first + 2),
      ]),
    ).toEqual([told, 204, 204])
    expect(await toldAfter(queue, id, first + 2)).toBe(204)
    expect(await toldAfter(queue, id, first)).toEqual(told)
  }
})
