import { beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { eventsOf, jobsIn, Wake } from './wake.ts'

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  #now = 0
  readonly timers = new Map<() => void, number>()

  now(): number {
    return this.#now
  }

  elapsed(): number {
    return this.#now
  }

  keepAlive(): () => void {
    return () => {}
  }

  after(ms: number, run: () => void): () => void {
    this.timers.set(run, this.#now + ms)
    return () => this.timers.delete(run)
  }

  pass(ms: number): void {
    this.#now += ms
    for (const [run, at] of [...this.timers]) {
      if (at > this.#now) continue
      this.timers.delete(run)
      run()
    }
  }
}

const topic = jobsIn('default')
let clock: HandClock
let wake: Wake
let ended: string[]

/** Listens, and notes its name in `ended` when the hint comes. */
function listen(name: string, on = topic, signal = new AbortController().signal): () => void {
  const { hint, stop } = wake.listen(on, 1000, signal)
  void hint.then(() => ended.push(name))
  return stop
}

/** Lets what is resolved by now be seen. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function expectEnded(...names: string[]): Promise<void> {
  await settled()
  expect(ended).toEqual(names)
}

beforeEach(() => {
  clock = new HandClock()
  wake = new Wake(clock)
  ended = []
})

describe('a listener', () => {
  test('is woken by its topic, with all the others, and by no other topic', async () => {
    listen('a')
    listen('b')
    listen('c', jobsIn('mail'))
    listen('d', eventsOf())
    wake.notify(topic)
    await expectEnded('a', 'b')
  })

  test('is woken with everybody when no topic is named', async () => {
    listen('a')
    listen('b', eventsOf())
    wake.notify()
    await expectEnded('a', 'b')
  })

  test('is woken when its time is up, not before', async () => {
    listen('a')
    clock.pass(999)
    await expectEnded()
    clock.pass(1)
    await expectEnded('a')
  })

  test('is woken when its signal aborts', async () => {
    const stopping = new AbortController()
    listen('a', topic, stopping.signal)
    listen('b')
    stopping.abort()
    await expectEnded('a')
  })

  test('does not wait at all for a signal that has aborted', async () => {
    const stop = listen('a', topic, AbortSignal.abort())
    await expectEnded('a')
    expect(wake.isAwaited(topic)).toBe(false)
    stop()
  })

  test('hears what comes between the call and the wait', async () => {
    const { hint } = wake.listen(topic, 1000, new AbortController().signal)
    wake.notify(topic)
    await hint
    expect(clock.timers.size).toBe(0)
  })

  test('does not hear what came before the call', async () => {
    wake.notify(topic)
    listen('a')
    await expectEnded()
  })

  test('may listen again while it is woken', async () => {
    const { hint } = wake.listen(topic, 1000, new AbortController().signal)
    const again = hint.then(() => listen('again'))
    wake.notify(topic)
    await again
    expect(wake.isAwaited(topic)).toBe(true)
    wake.notify(topic)
    await expectEnded('again')
  })

  test('can stop, more than once, without ending the others', async () => {
    const stop = listen('a')
    listen('b')
    stop()
    stop()
    await expectEnded('a')
    expect(wake.isAwaited(topic)).toBe(true)
    clock.pass(1000)
    await expectEnded('a', 'b')
  })
})

test('a late stop of one who was woken leaves a new listener alone', async () => {
  const stop = listen('a')
  wake.notify(topic)
  listen('b')
  stop()
  expect(wake.isAwaited(topic)).toBe(true)
  await expectEnded('a')
})

test.each<[string, (stop: () => void, abort: () => void) => void]>([
  ['a hint', () => wake.notify(topic)],
  ['its time', () => clock.pass(1000)],
  ['a stop', (stop) => stop()],
  ['an abort', (_, abort) => abort()],
])('nothing is left of a listener after %s', (_, end) => {
  const stopping = new AbortController()
  const stop = listen('a', topic, stopping.signal)
  expect(wake.isAwaited(topic)).toBe(true)
  end(stop, () => stopping.abort())
  expect(wake.isAwaited(topic)).toBe(false)
  expect(clock.timers.size).toBe(0)
})
