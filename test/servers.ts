import { afterAll, onTestFinished, test } from 'vitest'

/** What is started for tests. */
export interface Startable {
  stop(): Promise<void>
}

/** Starts it, or is undefined where it is missing and cannot be installed. */
export type Start<Server> = () => Promise<Server | undefined>

const isRequired = process.env.OFFLOAD_REQUIRE_BACKENDS === 'all'

/**
 * A server for the tests of a file, stopped after them. For the top of the file:
 *
 *     const redis = await needs('redis', startRedis)
 *     if (redis !== undefined) describe('…', () => …)
 *
 * Where it is missing, a skipped test and a warning say so; where all are required, the file fails.
 */
export async function needs<Server extends Startable>(
  name: string,
  start: Start<Server>,
): Promise<Server | undefined> {
  const server = await start()
  if (server !== undefined) {
    afterAll(() => server.stop())
    return server
  }
  if (isRequired) throw new Error(missing(name))
  console.warn(`SKIPPED: ${missing(name)}`)
  test.skip(`needs ${name}`, () => {})
  return undefined
}

/** A server that a test may kill, of its own: stopped when the test has ended. For a test behind `needs()` or a `skip` of its own. */
export async function own<Server extends Startable>(name: string, start: Start<Server>): Promise<Server> {
  const server = await start()
  if (server === undefined) throw new Error(missing(name))
  onTestFinished(() => server.stop())
  return server
}

const missing = (name: string): string =>
  `no ${name} here, and it could not be installed: npm run servers tells what is missing`
