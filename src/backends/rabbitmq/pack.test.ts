import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobsOf } from '../../../test/rabbitmq/jobs.ts'
import { overTheWire } from '../../../test/rabbitmq/wire.ts'
import type { Job } from '../../job/job.ts'
import type { Received } from './message.ts'
import { received } from './message.ts'
import { isPack, packOf, packs } from './pack.ts'

const NOW = 1_700_000_000_000
const TYPE = 'application/vnd.offload.pack+x-ndjson'
const OWN_ID = /^[0-9a-hjkmnp-tv-z]{30}$/

const job = (id: string, payload = '1', more: Partial<Job> = {}): Job => ({
  id,
  task: 't',
  queue: 'q',
  payload,
  priority: 4,
  createdAt: NOW,
  maxAttempts: 3,
  ...more,
})

/** The jobs of a message that says to be a pack. */
const read = (body: string | Buffer, more = {}): readonly Received[] =>
  received(overTheWire(Buffer.from(body), { contentType: TYPE, ...more }), 'q', [], NOW)

const none = (): boolean => false

describe('a pack', () => {
  test('brings its jobs back as they were', () => {
    const packable = jobsOf('q').map(({ runAt: _, ...rest }) => rest)
    fc.assert(
      fc.property(fc.array(packable, { minLength: 2, maxLength: 5 }), fc.nat(5), (jobs, redelivered) => {
        const { body, properties } = packOf(jobs, 'offload/ledger')
        const headers = { 'x-delivery-count': redelivered }
        const message = overTheWire(body, { ...properties, headers })
        expect(isPack(message.properties)).toBe(true)
        expect(received(message, 'q', [], NOW)).toEqual(
          jobs.map((one) => ({ job: one, attempts: redelivered, isRemembered: true })),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('that cannot be read is a job each that says so, under an id that nobody has', () => {
    for (const head of ['', 'no json', '[]', 'null', '7', '{}', '{"id":7}', '{"id":"../up","task":"t"}']) {
      const jobs = read(`${head}\n{"n":1}`)
      expect(jobs).toMatchObject([
        { job: { payload: '{"n":1}' }, malformed: 'the pack has a head that cannot be read' },
      ])
      expect(jobs[0]?.job.id).toMatch(OWN_ID)
    }
    const ids = read('\n\n\n').map(({ job: { id } }) => id)
    expect(new Set(ids).size).toBe(2)
  })

  test('that is broken off keeps the jobs that are whole', () => {
    const { body } = packOf([job('a', '"one"'), job('b', '"two"')], 'offload')
    const text = body.toString()
    const [whole, cut, ...others] = read(text.slice(0, text.lastIndexOf('\n')))
    expect(whole).toMatchObject({ job: { id: 'a', payload: '"one"' } })
    expect(whole?.malformed).toBeUndefined()
    expect(cut).toMatchObject({ job: { id: 'b', payload: '' }, malformed: expect.any(String) })
    expect(others).toEqual([])
  })

  test('that is not UTF-8 is one job that says so and keeps all of it', () => {
    const { body } = packOf([job('a'), job('b')], 'offload')
    const broken = Buffer.concat([body, Buffer.from([0xff])])
    const jobs = read(broken)
    expect(jobs).toHaveLength(1)
    expect(jobs[0]).toMatchObject({
      job: { payload: `base64:${broken.toString('base64')}` },
      malformed: expect.stringContaining('UTF-8'),
    })
  })

  test('of more jobs than are ever packed is not taken apart', () => {
    const line = '{"id":"a","task":"t"}\n1\n'
    const jobs = read(line.repeat(5000))
    expect(jobs).toHaveLength(1)
    expect(jobs[0]).toMatchObject({ malformed: expect.stringContaining('more than 1000 jobs') })
    expect(jobs[0]?.job.payload).toBe(line.repeat(5000))
  })

  test('has bounds for all that its heads ask for, and no prototype of theirs', () => {
    const head = {
      id: 'a',
      task: 't'.repeat(121),
      priority: 10,
      createdAt: 1e300,
      maxAttempts: 0,
      deadline: 253_402_300_800_000,
      key: 'k'.repeat(201),
      tenant: 7,
      trace: { traceparent: 'x'.repeat(3000) },
    }
    expect(read(`${JSON.stringify(head)}\n1`)).toEqual([
      {
        job: {
          id: 'a',
          task: 'unknown',
          queue: 'q',
          payload: '1',
          priority: 4,
          createdAt: NOW,
          maxAttempts: 5,
        },
        attempts: 0,
        isRemembered: false,
      },
    ])
    const [polluted] = read(
      '{"id":"a","task":"t","__proto__":{"key":"k"},"trace":{"__proto__":{"x":"y"}}}\n1',
    )
    expect(polluted?.job).not.toHaveProperty('key')
    expect(polluted?.job.trace).toBeUndefined()
  })

  test('is never more jobs than lines, whatever a stranger sends', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.uint8Array()), fc.json(), (first, second) => {
        const body = Buffer.concat([Buffer.from(first), Buffer.from(`\n${second}`)])
        for (const { job: made, attempts } of read(body)) {
          expect(made.id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/)
          expect(typeof made.payload).toBe('string')
          expect(attempts).toBe(0)
        }
      }),
    )
  })
})

describe('jobs are packed', () => {
  const anyJob = fc
    .tuple(fc.constantFrom(1, 10, 100_000, 262_144, 300_000), fc.boolean(), fc.boolean(), fc.boolean())
    .map(([bytes, isAlone, isBroken, isWide]) =>
      job(
        'a',
        `"${(isWide ? 'é' : 'x').repeat(bytes)}${isBroken ? '\n' : ''}"`,
        isAlone ? { runAt: NOW } : {},
      ),
    )

  test('each once, in their order but for those that go alone, at most so many and so many bytes together', () => {
    fc.assert(
      fc.property(fc.array(anyJob, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), (jobs, most) => {
        const isLater = ({ runAt }: Job): boolean => runAt !== undefined
        const made = packs(jobs, most, isLater)
        const goesAlone = (one: Job): boolean => isLater(one) || one.payload.includes('\n')
        expect(made.flat()).toHaveLength(jobs.length)
        expect(new Set(made.flat())).toEqual(new Set(jobs))
        expect(made.flat().filter((one) => !goesAlone(one))).toEqual(jobs.filter((one) => !goesAlone(one)))
        for (const pack of made) {
          expect(pack.length).toBeGreaterThan(0)
          expect(pack.length).toBeLessThanOrEqual(most)
          if (pack.some(goesAlone)) expect(pack).toHaveLength(1)
          const bytes = pack.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0)
          if (pack.length > 1) expect(bytes).toBeLessThanOrEqual(262_144)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('into as few messages as there can be', () => {
    const jobs = Array.from({ length: 2500 }, (_, nth) => job(`job-${nth}`))
    expect(packs(jobs, 1000, none).map((pack) => pack.length)).toEqual([1000, 1000, 500])
    expect(packs(jobs.slice(0, 3), 1, none).map((pack) => pack.length)).toEqual([1, 1, 1])
    expect(packs([], 1000, none)).toEqual([])
    const wide = [job('a', `"${'é'.repeat(100_000)}"`), job('b', `"${'é'.repeat(100_000)}"`)]
    expect(packs(wide, 1000, none)).toHaveLength(2)
    const narrow = [job('a', `"${'e'.repeat(100_000)}"`), job('b', `"${'e'.repeat(100_000)}"`)]
    expect(packs(narrow, 1000, none)).toHaveLength(1)
  })
})
