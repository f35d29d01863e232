import type { BackendOptions, Claim, Ledger, Offload, OffloadOptions } from 'offload'
import { offload } from 'offload'
import { openMemory } from 'offload/backends/memory'
import type { JobRoutesOptions } from 'offload/http'
import { expect, onTestFinished } from 'vitest'
import type { DoorName } from './doors.ts'
import { doors } from './doors.ts'
import { release, tasks } from './tasks.ts'

export interface Shop {
  readonly queue: Offload
  readonly url: string
  /** What is below, to make happen what a handler would. */
  readonly ledger: Ledger
  /** How often the ledger was watched. */
  watches(): number
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Posts JSON. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** Runs what waits, until this job has ended. */
  run(id: string): Promise<void>
  /** Claims this job as a worker does, to say what happens to it. */
  claim(): Promise<Claim>
  close(): Promise<void>
}

/** A queue in memory behind one of the doors; closed with the test. */
export async function openShop(
  name: DoorName,
  options: JobRoutesOptions = {},
  own: Partial<OffloadOptions> = {},
): Promise<Shop> {
  let opened: Ledger | undefined
  let watches = 0
  const memory = {
    open: async (backendOptions: BackendOptions) => {
      const backend = openMemory(backendOptions)
      const { ledger } = backend
      if (ledger === undefined) throw new Error('memory has a ledger')
      const watch = ledger.watch.bind(ledger)
      ledger.watch = (...args) => {
        watches++
        return watch(...args)
      }
      opened = ledger
      return backend
    },
  }
  const queue = offload({ url: memory, tasks, logger: silent, ...own })
  await queue.ready()
  const ledger = opened as Ledger
  const door = await doors[name](queue, options)
  let closing: Promise<void> | undefined
  const shop: Shop = {
    queue,
    url: door.url ?? 'http://shop',
    ledger,
    watches: () => watches,
    fetch: door.fetch,
    post: (path, body, headers) =>
      door.fetch(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    run: async (id) => {
      const worker = queue.work()
      await queue.result(id).catch(() => undefined)
      await worker.stop()
    },
    claim: async () => {
      const [claim] = await ledger.claim('default', {
        limit: 1,
        leaseMs: 60_000,
        worker: 'test',
      })
      if (claim === undefined) throw new Error('no job waits')
      return claim
    },
    close: () => {
      closing ??= (async () => {
        release()
        await door.close()
        await queue.close()
      })()
      return closing
    },
  }
  onTestFinished(() => {
    door.cutOff()
    return shop.close()
  })
  return shop
}

export const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** The body of an answer, which is JSON of this status. */
export async function json<Body = Record<string, unknown>>(answer: Response, status = 200): Promise<Body> {
  const text = await answer.text()
  expect([answer.status, text]).toEqual([status, expect.any(String)])
  expect(answer.headers.get('content-type')).toMatch(/^application\/(?:problem\+)?json(?:; charset=utf-8)?$/)
  return JSON.parse(text)
}

/** The problem document of an answer. */
export async function problem(
  answer: Response,
  status: number,
  code?: string,
): Promise<Record<string, unknown>> {
  const body = await json(answer, status)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(body).toMatchObject({ status, title: expect.any(String), type: expect.any(String) })
  if (code !== undefined) expect(body).toMatchObject({ code, type: urn(code) })
  return body
}

const urn = (code: string): string => `urn:offload:error:${code.toLowerCase().replaceAll('_', '-')}`
