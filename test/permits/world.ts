import { setImmediate as turn } from 'node:timers/promises'
import type { Backend, BackendOptions } from '../../src/backend.ts'
import { defaultRetention } from '../../src/backend.ts'
import { joined } from '../../src/backends/joined.ts'
import type { Claim } from '../../src/broker.ts'
import type { Job } from '../../src/job/job.ts'
import type { Ending } from '../../src/job/state.ts'
import type { Action, Ledger } from '../../src/ledger.ts'
import { silentLogger } from '../../src/log.ts'
import type { LeastPowerServer } from '../../src/testing/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'

/** Opens one more connection to the same store. */
export type OpenLedger = (options: BackendOptions) => Promise<Ledger> | Ledger

export const queues = ['q', 'other'] as const

const LEASE_MS = 3_600_000
/** With nothing seen for so many turns of the event loop, nothing more happens by itself. */
const QUIET_TURNS = 8

/** Calls of the broker, and of the ledger. */
export const calls = [
  'publish',
  'acknowledge',
  'record',
  'claim',
  'outbox',
  'settle',
  'act',
  'other',
] as const
type Call = (typeof calls)[number]

/** What a test can stop before a call has its effect, and between its effect and its answer. */
class Gate {
  #held: readonly Call[] = []
  #isCut = false
  #waiting: (() => void)[] = []

  hold(calls: readonly Call[]): void {
    this.#held = calls
  }

  /** Lets `count` of those that wait go on. */
  step(count: number): void {
    for (const go of this.#waiting.splice(0, count)) go()
  }

  open(): void {
    this.#held = []
    this.step(this.#waiting.length)
  }

  /** Nobody passes any more: their process is dead. */
  cut(): void {
    this.#isCut = true
    this.#waiting = []
  }

  pass(call: Call): Promise<void> | undefined {
    if (this.#isCut) return new Promise(() => {})
    return this.#held.includes(call) ? new Promise((go) => this.#waiting.push(go)) : undefined
  }
}

const ofBroker: Readonly<Record<string, Call>> = { enqueue: 'publish', settle: 'acknowledge' }

/** A joined pair in a process that can be stopped at each of its calls, or killed. */
interface Host {
  readonly gate: Gate
  readonly pair: Backend
  readonly kill: () => Promise<void>
}

/** Two hosts on one message server and one store, on a clock that stands still. */
export class World {
  readonly #clock = new VirtualClock()
  readonly server: LeastPowerServer
  readonly #openLedger: OpenLedger
  readonly #options: BackendOptions
  readonly #hosts: Host[] = []
  readonly #held: Claim[] = []
  readonly #paused = new Set<string>()
  #behindMs = 0
  #numbers = 0
  #calls = 0
  #seen = 0

  static async open(server: LeastPowerServer, openLedger: OpenLedger): Promise<World> {
    const world = new World(server, openLedger)
    for (const nth of [0, 1]) await world.#start(nth)
    return world
  }

  private constructor(server: LeastPowerServer, openLedger: OpenLedger) {
    this.server = server
    this.#openLedger = openLedger
    this.#options = {
      clock: {
        now: () => this.now(),
        elapsed: () => this.#clock.elapsed(),
        after: (ms, run, kind) => this.#clock.after(ms, run, kind),
        keepAlive: () => this.#clock.keepAlive(),
      },
      logger: silentLogger,
      retention: { ...defaultRetention, endedMs: 0 },
      timeoutMs: 5000,
    }
  }

  now(): number {
    return this.#clock.now() - this.#behindMs
  }

  /** The clock of both hosts is set back. */
  setBack(ms: number): void {
    this.#behindMs += ms
  }

  async enqueue(host: number, kinds: readonly Partial<Job>[]): Promise<void> {
    const jobs = kinds.map(
      (kind): Job => ({
        id: `job-${++this.#numbers}`,
        task: 'test',
        queue: 'q',
        payload: '{}',
        priority: 4,
        createdAt: this.now(),
        maxAttempts: 100,
        ...kind,
      }),
    )
    await this.#try(this.#host(host).pair.broker.enqueue(jobs))
  }

  /** Claims what comes without time passing; a claim that is stopped on its way goes on by itself. */
  async claim(host: number, queue: string, limit: number): Promise<number> {
    const { pair } = this.#host(host)
    const giveUp = new AbortController()
    let count = 0
    pair.broker
      .claim(queue, { limit, leaseMs: LEASE_MS, worker: 'w', signal: giveUp.signal })
      .then((claims) => {
        count = claims.length
        this.#held.push(...claims)
      })
      .catch(() => {})
    await this.quiet()
    giveUp.abort()
    await this.quiet()
    return count
  }

  async settle(host: number, which: number, ending: Ending): Promise<void> {
    const [claim] = this.#held.splice(which % Math.max(1, this.#held.length), 1)
    if (claim !== undefined) await this.#try(this.#host(host).pair.broker.settle([{ claim, ...ending }]))
  }

  async act(host: number, action: Action): Promise<void> {
    if (action.type === 'pause') this.#paused.add(action.queue)
    await this.#try(this.#host(host).pair.ledger?.act(action) ?? Promise.resolve())
  }

  /** The server is up and takes everything, the gates are open, and what was paused goes on. */
  async free(): Promise<void> {
    this.server.down = false
    this.server.refusing.clear()
    this.server.silent.clear()
    for (const { gate } of this.#hosts) gate.open()
    await this.quiet()
    for (const queue of this.#paused) await this.act(0, { type: 'resume', queue })
  }

  anId(which: number): string {
    return `job-${1 + (which % Math.max(1, this.#numbers))}`
  }

  gate(host: number): Gate {
    return this.#host(host).gate
  }

  /** Kills a host in the middle of whatever it does, and starts another in its place. */
  async crash(host: number): Promise<void> {
    await this.#host(host).kill()
    await this.#start(host)
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      await this.#clock.advance(Math.min(50, left))
      await this.quiet()
    }
  }

  /** Waits until nothing more happens unless a gate opens or time passes. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const before = this.#seen
      await turn()
      if (this.#seen !== before || this.#calls > 0) turns = 0
    }
  }

  /** The jobs that could be claimed now: nobody who has begun stands before them in the line of their key. */
  async claimable(): Promise<string[]> {
    const ledger = await this.#openLedger(this.#options)
    const { jobs } = await ledger.find({ limit: 1000 })
    await ledger.close()
    const begun = jobs.filter(
      ({ state, fence }) => state === 'running' || (state === 'scheduled' && fence > 0),
    )
    const shut = new Set(begun.map(({ queue, key }) => `${queue} ${key}`))
    const queued = jobs.filter(({ state }) => state === 'queued')
    return queued
      .filter(({ queue, key }) => key === undefined || !shut.has(`${queue} ${key}`))
      .map(({ id }) => id)
  }

  async close(): Promise<void> {
    for (const { gate, pair } of this.#hosts) {
      gate.open()
      await pair.close()
    }
  }

  #host(nth: number): Host {
    return this.#hosts[nth % this.#hosts.length] as Host
  }

  /** Starts a host, which has workers of each queue. */
  async #start(nth: number): Promise<void> {
    const gate = new Gate()
    const connection = this.server.connect()
    const store = await this.#openLedger(this.#options)
    const broker = this.#through(gate, connection, (name) => ofBroker[name])
    const ledger = this.#through(gate, store, (name) => calls.find((call) => call === name))
    const pair = joined(broker, ledger, this.#options)
    const kill = async (): Promise<void> => {
      gate.cut()
      await this.quiet()
      await connection.close()
      await store.close()
    }
    this.#hosts[nth] = { gate, pair, kill }
    for (const queue of queues) await this.claim(nth, queue, 1)
  }

  #through<T extends object>(gate: Gate, target: T, callOf: (name: string) => Call | undefined): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function' || name === 'watch') return member
        const call = callOf(String(name)) ?? 'other'
        const waits = name === 'claim' && call === 'other'
        return async (...args: unknown[]) => {
          await gate.pass(call)
          const answer = await this.#during(!waits, () => member.apply(target, args))
          await gate.pass(call)
          return answer
        }
      },
    })
  }

  /** A call that does not wait for a message counts as under way until it ends. */
  async #during<T>(counts: boolean, call: () => Promise<T>): Promise<T> {
    if (counts) this.#calls++
    this.#seen++
    try {
      return await call()
    } finally {
      if (counts) this.#calls--
      this.#seen++
    }
  }

  /** The call may be refused, or never be answered. */
  async #try(call: Promise<unknown>): Promise<void> {
    call.catch(() => {})
    await this.quiet()
  }
}
