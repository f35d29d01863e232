import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { offload } from 'offload'
import { expect, test } from 'vitest'
import { ended, freePort, kill, Site } from '../fixtures/site/processes.ts'
import { order, walk } from '../fixtures/site/tasks.ts'

const RACERS = 200
const PAUSE_MS = 20
const LONG = 120_000

type Ports = readonly [number, number]

interface Answer {
  readonly status: number
  readonly id: string | undefined
  readonly code: string | undefined
  readonly isReplayed: boolean
}

/** Clients that send one order under one key, each until it is told what became of it. */
class Race {
  readonly name: string
  readonly effects: string
  /** Requests that a server had taken when it died. */
  cut = 0
  readonly #key = crypto.randomUUID()

  constructor(site: Site, name: string) {
    this.name = name
    this.effects = join(site.folder, 'effects')
  }

  /** Half of them begin at each server. */
  run([one, two]: Ports): Promise<Answer[]> {
    const orders = Array.from({ length: RACERS }, (_, racer) => (racer % 2 === 0 ? [one, two] : [two, one]))
    return Promise.all(orders.map((ports) => this.send(ports)))
  }

  /** Asks one server after the other. */
  async send(ports: readonly number[], count = 1): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const answer = await this.#ask(ports[tries % ports.length] ?? 0, count)
      if (answer !== undefined) return answer
      await wait(PAUSE_MS)
    }
  }

  /** Undefined when nobody can tell yet. */
  async #ask(port: number, count: number): Promise<Answer | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `"${this.#key}"` },
        body: JSON.stringify({ name: this.name, file: this.effects, count }),
      })
      const { status, headers } = response
      const { id, code } = (await response.json()) as Answer
      if (status === 409) return expectToComeBack(headers, code)
      return { status, id, code, isReplayed: headers.has('idempotent-replayed') }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      if ((error.cause as { code?: string } | undefined)?.code !== 'ECONNREFUSED') this.cut++
    }
  }
}

function expectToComeBack(headers: Headers, code: string | undefined): undefined {
  expect(code).toBe('IDEMPOTENCY_IN_USE')
  expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
}

/** The one job that all answers name. */
function expectOneJob(answers: readonly Answer[]): string {
  expect(answers).toHaveLength(RACERS)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  const [id = '', ...others] = new Set(answers.map(({ id }) => id))
  expect(others).toEqual([])
  expect(answers.every(({ isReplayed }) => isReplayed)).toBe(true)
  return id
}

async function expectMismatch(race: Race, ports: Ports): Promise<void> {
  for (const port of ports)
    expect(await race.send([port], 2)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_MISMATCH' })
}

/** The ledger has these jobs and no more, and each has had its effect outside. */
async function expectDone(site: Site, jobs: ReadonlyMap<Race, string>): Promise<void> {
  await using queue = offload({ url: `sqlite:${site.file}`, tasks: [walk, order] })
  const remembered = await queue.find({ limit: 1000 })
  expect(remembered.jobs.map(({ id }) => id).sort()).toEqual([...jobs.values()].sort())
  await site.work()
  for (const [{ name }, id] of jobs) expect(await queue.result(id)).toBe(name)
  const effects = [...jobs.keys()].flatMap(({ effects }) => readFileSync(effects, 'utf8').trim().split('\n'))
  expect(new Set(effects)).toEqual(new Set([...jobs].map(([{ name }, id]) => `${name} ${id}`)))
}

test(
  'a server dies when it has accepted and told nobody: all who come later are told of that job, as a replay',
  async () => {
    await using site = new Site()
    const ports: Ports = [await freePort(), await freePort()]
    await site.serve(ports[0])
    const jobs = new Map<Race, string>()
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      const victim = await site.serve(ports[1], { diesBeforeAnswer: true })
      const race = new Race(site, name)
      const first = race.send([ports[1], ports[0]])
      await ended(victim)
      const next = await site.serve(ports[1])
      const answers = await Promise.all([first, race.run(ports)])
      expect(race.cut).toBeGreaterThan(0)
      const id = expectOneJob(answers[1])
      expect(answers[0]).toEqual({ status: 202, id, isReplayed: true })
      jobs.set(race, id)
      await expectMismatch(race, ports)
      await kill(next)
    }
    await expectDone(site, jobs)
  },
  LONG,
)
