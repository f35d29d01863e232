import fc from 'fast-check'
import type { Offload } from 'offload'
import { discard, offload, task } from 'offload'
import type { JobRoutesOptions } from 'offload/http'
import { openapi } from 'offload/http'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Documented } from './documented.ts'
import { BODY_BYTES } from './fuzz/bodies.ts'
import { faultOf } from './fuzz/judge.ts'
import { requests } from './fuzz/requests.ts'
import { servers } from './fuzz/servers.ts'
import type { RawAnswer } from './fuzz/socket.ts'
import { exchange } from './fuzz/socket.ts'
import { written } from './fuzz/written.ts'

/** Other seeds and numbers of requests may be asked for: OFFLOAD_FUZZ=seed,runs. */
const [seed = 20_260_101, runs = 600] = (process.env.OFFLOAD_FUZZ ?? '')
  .split(',')
  .filter(Boolean)
  .map(Number)

const report = task('report', {
  input: z.object({ text: z.string(), n: z.number().optional() }),
  output: z.object({ said: z.string() }),
  key: ({ text }) => (text.startsWith('key:') ? text : undefined),
  retry: { attempts: 1 },
  run: ({ text }) => (text === '' ? discard('nothing to say') : { said: text }),
})
interface Tree {
  name: string
  kids: Tree[]
}
const treeSchema: z.ZodType<Tree> = z.strictObject({
  name: z.string(),
  get kids() {
    return z.array(treeSchema)
  },
})
const tree = task('tree', { input: treeSchema, queue: 'idle', run: () => undefined })
const anything = task('anything', { input: z.unknown(), run: (value) => value })
const told = task('told', { input: z.unknown(), queue: 'told', run: () => undefined })

const info = { title: 'Fuzz', version: '1' }
const options: JobRoutesOptions = {
  accept: {
    '/reports': {
      task: report,
      batch: 3,
      options: ({ n }) => (n === undefined ? {} : { priority: Math.trunc(Math.abs(n)) % 10 }),
    },
    '/once': { task: report, idempotency: 'required', batch: 3 },
    '/trees': { task: tree, callback: () => told },
    '/jobs': { task: anything, idempotency: 'off' },
  },
  list: () => true,
  maxWait: '50ms',
  bodyBytes: BODY_BYTES,
  openapi: info,
}

for (const [name, start] of Object.entries(servers)) {
  test(`${name} answers whatever comes as the document says, and queues what it says`, async () => {
    console.log(`fuzz of ${name}: OFFLOAD_FUZZ=${seed},${runs}`)
    const queue = offload({ url: 'memory:', tasks: [report, tree, anything, told], logger: silent })
    const worker = queue.work({ queues: ['default'] })
    const server = await start(queue, options)
    const document = openapi(options, info)
    const documented = new Documented(document)
    const accepted = new Set<string>()
    await fc.assert(
      fc.asyncProperty(requests(document), async (request) => {
        const wire = written(request, [...accepted])
        const answer = await exchange({ port: server.port, ...wire })
        const jobs = request.method === 'POST' ? jobsIn(answer) : []
        const isReplay = answer?.headers.has('idempotent-replayed') ?? false
        for (const { id, replayed } of jobs) {
          expect(accepted.has(id)).toBe(isReplay || replayed === true)
          accepted.add(id)
        }
        expect(faultOf(name, request, wire, answer, documented)).toBeUndefined()
      }),
      { seed, numRuns: runs, endOnFailure: true },
    )
    expect((await fetch(`http://127.0.0.1:${server.port}/jobs/openapi.json`)).status).toBe(200)
    expect(accepted.size).toBeGreaterThan(runs / 20)
    expect(await idsOf(queue)).toEqual([...accepted].sort())
    await server.close()
    await worker.stop()
    await queue.close()
  }, 60_000)
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

interface TakenJob {
  readonly id: string
  readonly replayed?: boolean
}

/** The jobs that an accept route says it has taken. */
function jobsIn(answer: RawAnswer | undefined): TakenJob[] {
  if (answer === undefined || answer.status >= 300 || answer.body === '') return []
  const {
    id,
    task,
    items = [],
  } = JSON.parse(answer.body) as {
    id?: string
    task?: string
    items?: { job?: { id: string }; replayed?: boolean }[]
  }
  const one = id === undefined || task === undefined ? [] : [{ id }]
  return [
    ...one,
    ...items.flatMap(({ job, replayed = false }) => (job === undefined ? [] : [{ id: job.id, replayed }])),
  ]
}

/** Of all jobs but those that follow from others. */
async function idsOf(queue: Offload): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | undefined, isLast = false; !isLast; ) {
    const page = await queue.find({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    ids.push(...page.jobs.map(({ id }) => id).filter((id) => !id.includes('.')))
    cursor = page.next
    isLast = cursor === undefined
  }
  return ids.sort()
}
