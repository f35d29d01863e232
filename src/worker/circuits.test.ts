import { expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { silentLogger } from '../log.ts'
import { circuitPlan } from './circuit.ts'
import { Circuits } from './circuits.ts'

/** A clock whose timers come a little early, as those of Node do. */
class EarlyClock implements Clock {
  at = 0.4
  readonly #timers: { readonly due: number; readonly run: () => void }[] = []
  now = (): number => this.at
  elapsed = (): number => this.at
  keepAlive = () => () => {}
  after(ms: number, run: () => void): () => void {
    this.#timers.push({ due: this.at + ms - 0.9, run })
    return () => {}
  }
  /** Runs the next timer; false where there is none. */
  pass(): boolean {
    const next = this.#timers.shift()
    if (next === undefined) return false
    this.at = Math.max(this.at, next.due)
    next.run()
    return true
  }
}

const event = (error?: unknown) => ({ jobId: 'j', task: 't', queue: 'q', attempt: 1, error })

test('a queue that is open is woken when one job may be tried, however early its timer comes', () => {
  const clock = new EarlyClock()
  const woken: number[] = []
  const circuits = new Circuits({
    plan: circuitPlan({ least: 1, probe: 100 }),
    clock,
    logger: silentLogger,
    onChange: (queue) => void woken.push(circuits.most(queue)),
  })
  circuits.ended('failed', event({ code: 'HANDLER_FAILED' }))
  expect(woken).toEqual([0])
  while (clock.pass());
  expect(woken).toEqual([0, 1])
})

test('what the handler meant, and what nobody could read, opens nothing', () => {
  const circuits = new Circuits({
    plan: circuitPlan({ least: 1 }),
    clock: new EarlyClock(),
    logger: silentLogger,
    onChange: () => {},
  })
  for (const code of ['DISCARDED', 'PAYLOAD_UNDECODABLE', 'INPUT_INVALID'])
    circuits.ended('dead', event({ code }))
  circuits.ended('lost', event())
  expect(circuits.slowed()).toEqual([])
})
