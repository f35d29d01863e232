import type { Depth } from 'offload'
import { offload } from 'offload'
import { dashboard } from 'offload/dashboard'
import { expect, onTestFinished, test, vi } from 'vitest'
import { silentLogger } from '../../src/log.ts'

/** A dashboard whose store is watched: how often it was asked, and what it answers. */
function open(answer: () => Promise<readonly Depth[]> = async () => []) {
  const queue = offload({ url: 'memory:', tasks: [], logger: silentLogger })
  const queues = vi.spyOn(queue, 'queues').mockImplementation(async () => [...(await answer())])
  const board = dashboard(queue, { authorize: () => true, maxStreams: 3 })
  onTestFinished(async () => {
    vi.useRealTimers()
    board.close()
    await queue.close()
  })
  return { board, queues }
}

type Board = ReturnType<typeof open>['board']

/** A page that listens: what it was told, and how it leaves. */
async function listen(board: Board, query = '') {
  const response = await board(new Request(`http://shop/offload/api/live${query}`))
  const reader = response?.body?.getReader()
  const told: string[] = []
  const reading = (async () => {
    for (;;) {
      const part = await reader?.read()
      if (part === undefined || part.done) return
      told.push(
        ...Buffer.from(part.value)
          .toString()
          .split('\n')
          .filter((line) => line.startsWith('event: ')),
      )
    }
  })()
  return { status: response?.status, told, reading, leave: () => reader?.cancel() }
}

test('nobody looks, nothing is asked; many look, it is asked once a second', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { board, queues } = open()
  vi.advanceTimersByTime(5000)
  expect(queues).not.toHaveBeenCalled()
  const pages = await Promise.all([listen(board), listen(board), listen(board)])
  await vi.waitFor(() => expect(pages[2]?.told).toContain('event: live'))
  expect(queues).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1000)
  expect(queues).toHaveBeenCalledTimes(2)
  for (const { leave } of pages) await leave()
  vi.advanceTimersByTime(10_000)
  expect(queues).toHaveBeenCalledTimes(2)
})

test('a page that comes later is told what was before', async () => {
  const { board } = open()
  const first = await listen(board)
  await vi.waitFor(() => expect(first.told).toContain('event: live'))
  const response = await board(new Request('http://shop/offload/api/live'))
  const reader = response?.body?.getReader()
  let text = ''
  while (!text.includes('event: history')) text += Buffer.from((await reader?.read())?.value ?? []).toString()
  expect(text).toMatch(/event: history\ndata: \[\{"at":/)
  await reader?.cancel()
  await first.leave()
})

test('workers are told one by one to who asks for them', async () => {
  const { board } = open()
  const [plain, full] = [await listen(board), await listen(board, '?workers')]
  await vi.waitFor(() => expect(full.told).toContain('event: workers'))
  await vi.waitFor(() => expect(plain.told).toContain('event: live'))
  expect(plain.told).not.toContain('event: workers')
  await plain.leave()
  await full.leave()
})

test('a store that does not answer is told in words, and asked again', async () => {
  let isAway = true
  const { board } = open(async () => {
    if (isAway) throw new Error('connect ECONNREFUSED 10.0.0.1')
    return []
  })
  const page = await listen(board)
  await vi.waitFor(() => expect(page.told).toContain('event: trouble'))
  isAway = false
  await vi.waitFor(() => expect(page.told).toContain('event: live'), { timeout: 5000 })
  await page.leave()
})

test('so many streams are open at once, and a closed dashboard ends them', async () => {
  const { board } = open()
  const pages = [await listen(board), await listen(board), await listen(board)]
  expect((await listen(board)).status).toBe(503)
  await pages[0]?.leave()
  const last = await listen(board)
  expect(last.status).toBe(200)
  board.close()
  await Promise.all([...pages, last].map(({ reading }) => reading))
  expect((await listen(board)).status).toBe(503)
})
