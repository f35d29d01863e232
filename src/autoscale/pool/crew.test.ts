import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Crew, Happening, Order } from './crew.ts'
import {
  FIRST_BACK_OFF_MS,
  isHopeless,
  LAST_BACK_OFF_MS,
  LOOP,
  next,
  nobody,
  STEADY_MS,
  staff,
} from './crew.ts'

const rules = { graceMs: 25_000, startMs: 60_000 }

/** A crew, and what its orders have made of its processes so far. */
class World {
  crew: Crew = nobody
  now = 0
  random = 0
  /** Since when each process runs. */
  readonly processes = new Map<number, number>()
  readonly retired = new Map<number, number>()
  readonly starts: { at: number; id: number }[] = []
  /** `leastAt`: it may not be before. */
  readonly kills: { at: number; process: string; leastAt: number }[] = []

  heed(happening: Happening): readonly Order[] {
    if (happening.type === 'ended') this.processes.delete(happening.id)
    const { crew, orders } = next(this.crew, happening, rules, this.now, this.random)
    this.crew = crew
    for (const { type, id } of orders) {
      if (type === 'start') {
        if (this.processes.has(id)) throw new Error(`worker ${id} was started twice`)
        this.processes.set(id, this.now)
        this.starts.push({ at: this.now, id })
      } else {
        if (!this.processes.has(id)) throw new Error(`worker ${id} has no process to ${type}`)
        if (type === 'retire') this.retired.set(id, this.now)
        else this.kills.push(this.#kill(id))
      }
    }
    return orders
  }

  #kill(id: number): World['kills'][number] {
    const [retiredAt, startedAt = 0] = [this.retired.get(id), this.processes.get(id)]
    const leastAt = retiredAt === undefined ? startedAt + rules.startMs : retiredAt + rules.graceMs
    return { at: this.now, process: `${id} of ${startedAt}`, leastAt }
  }

  want(workers: number): readonly Order[] {
    return this.heed({ type: 'wanted', workers, load: new Map() })
  }
}

const happenings = fc.oneof(
  fc.record({ type: fc.constant('wanted' as const), workers: fc.nat(6) }),
  fc.record({ type: fc.constantFrom('working' as const, 'ended' as const), nth: fc.nat(9) }),
  fc.record({ type: fc.constant('time' as const), ms: fc.nat(70_000) }),
  fc.record({ type: fc.constant('stop' as const) }),
)

type Step = typeof happenings extends fc.Arbitrary<infer One> ? One : never

function play(world: World, step: Step): void {
  if (step.type === 'wanted') world.want(step.workers)
  else if (step.type === 'stop') world.heed(step)
  else if (step.type === 'time') {
    world.now += step.ms
    world.heed({ type: 'time' })
  } else {
    const ids = [...world.processes.keys()]
    const id = ids[step.nth % ids.length]
    if (id !== undefined) world.heed({ type: step.type, id })
  }
}

test('whatever happens: as many as wanted, no process started twice, none retired or killed that is not there', () => {
  fc.assert(
    fc.property(fc.array(happenings, { maxLength: 60 }), (steps) => {
      const world = new World()
      for (const step of steps) {
        play(world, step)
        if (step.type === 'wanted' && !world.crew.stopping)
          expect(staff(world.crew)).toHaveLength(step.workers)
        if (world.crew.stopping) expect(staff(world.crew)).toEqual([])
        const running = world.crew.places.filter(({ phase }) => phase !== 'waiting').map(({ id }) => id)
        expect(running.sort()).toEqual([...world.processes.keys()].sort())
      }
    }),
  )
})

test('nobody is killed before its grace is over, and each at most once', () => {
  fc.assert(
    fc.property(fc.array(happenings, { maxLength: 60 }), (steps) => {
      const world = new World()
      for (const step of steps) play(world, step)
      for (const { at, leastAt } of world.kills) expect(at).toBeGreaterThanOrEqual(leastAt)
      const killed = world.kills.map(({ process }) => process)
      expect(new Set(killed).size).toBe(killed.length)
    }),
  )
})

test('nothing is started after a stop', () => {
  fc.assert(
    fc.property(
      fc.array(happenings, { maxLength: 30 }),
      fc.array(happenings, { maxLength: 30 }),
      (before, after) => {
        const world = new World()
        for (const step of before) play(world, step)
        world.heed({ type: 'stop' })
        const { length } = world.starts
        for (const step of after) play(world, step)
        expect(world.starts).toHaveLength(length)
      },
    ),
  )
})

test('a worker that crashes at once is started again ever later, half a minute at most, and not twice as often as that', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      const world = new World()
      world.random = random
      world.want(1)
      for (; world.now < 600_000; world.now += 100) {
        world.heed({ type: 'time' })
        if (world.processes.has(1)) world.heed({ type: 'ended', id: 1 })
      }
      const waits = world.starts.map(({ at }, nth) => at - (world.starts[nth - 1]?.at ?? 0)).slice(1)
      expect(waits[0]).toBeGreaterThanOrEqual(FIRST_BACK_OFF_MS / 2)
      for (const wait of waits) expect(wait).toBeLessThanOrEqual(LAST_BACK_OFF_MS + 100)
      for (const wait of waits.slice(7)) expect(wait).toBeGreaterThanOrEqual(LAST_BACK_OFF_MS / 2)
    }),
  )
})

test('a worker that had worked for long is replaced soon, however often it crashed before', () => {
  const world = new World()
  world.want(1)
  for (let crash = 0; crash < 5; crash++) {
    world.heed({ type: 'ended', id: 1 })
    world.now += LAST_BACK_OFF_MS
    world.heed({ type: 'time' })
  }
  world.heed({ type: 'working', id: 1 })
  world.now += STEADY_MS
  world.heed({ type: 'ended', id: 1 })
  expect(world.crew.places).toMatchObject([
    { phase: 'waiting', crashes: 1, dueAt: world.now + FIRST_BACK_OFF_MS / 2 },
  ])
})

test('fewer are wanted: who waits goes first, then who starts, then who runs the least', () => {
  const world = new World()
  world.want(4)
  for (const id of [1, 2, 3, 4]) world.heed({ type: 'working', id })
  world.heed({ type: 'ended', id: 3 })
  world.want(5)
  const load = new Map([
    [1, 7],
    [2, 2],
    [4, 9],
  ])
  expect(world.heed({ type: 'wanted', workers: 4, load })).toEqual([])
  expect(world.crew.places.map(({ id }) => id)).toEqual([1, 2, 4, 5])
  expect(world.heed({ type: 'wanted', workers: 3, load })).toEqual([{ type: 'retire', id: 5 }])
  expect(world.heed({ type: 'wanted', workers: 2, load })).toEqual([{ type: 'retire', id: 2 }])
})

test('it is hopeless when none ever worked and one has crashed in a row, and never once one has worked', () => {
  const world = new World()
  world.want(2)
  for (let crash = 1; crash <= LOOP; crash++) {
    expect(isHopeless(world.crew)).toBe(false)
    world.heed({ type: 'ended', id: 1 })
    world.now += LAST_BACK_OFF_MS
    if (crash < LOOP) world.heed({ type: 'time' })
  }
  expect(isHopeless(world.crew)).toBe(true)
  world.heed({ type: 'working', id: 2 })
  expect(isHopeless(world.crew)).toBe(false)
})
