import fc from 'fast-check'
import type { Job } from '../../src/job/job.ts'

const LAST_INSTANT = 253_402_300_799_999

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$/)
const instant = fc.integer({ min: 0, max: LAST_INSTANT })
const text = (longest: number) =>
  fc.string({ unit: 'binary', minLength: 1, maxLength: longest }).filter((made) => made.length <= longest)

/** W3C names and others, 2048 characters in all at most, as a producer takes them. */
const trace = fc
  .dictionary(
    fc.oneof(
      fc.constantFrom('traceparent', 'tracestate', 'baggage', '__proto__', ''),
      text(200).filter((made) => Buffer.byteLength(made) <= 200),
    ),
    fc.oneof(fc.string({ maxLength: 60 }), fc.string({ minLength: 500, maxLength: 1900 })),
    { minKeys: 1, maxKeys: 4 },
  )
  .filter((made) => Object.entries(made).flat().join('').length <= 2048)
  .map((made) => Object.fromEntries(Object.entries(made)))

/** Any job of the queue that a producer may hand to a message broker without a ledger, and with a key besides. */
export const jobsOf = (queue: string): fc.Arbitrary<Job> =>
  fc.record(
    {
      id: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/),
      task: name,
      queue: fc.constant(queue),
      payload: fc.json(),
      priority: fc.integer({ min: 0, max: 9 }),
      createdAt: instant,
      maxAttempts: fc.integer({ min: 1, max: 1_000_000 }),
      key: text(200).filter((made) => !/\p{Cc}/u.test(made)),
      tenant: text(200),
      runAt: instant,
      deadline: instant,
      trace,
    },
    { requiredKeys: ['id', 'task', 'queue', 'payload', 'priority', 'createdAt', 'maxAttempts'] },
  )
