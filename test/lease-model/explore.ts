/** A world of finitely many states: how it begins and what can happen in it. */
export interface Model<World> {
  readonly initial: World
  /** Everything that can happen now, by whom it is done: `user` and `fault` may never happen, `system` always can. */
  next(world: World): readonly Step<World>[]
  /** What is wrong with a step, if anything. */
  broken(before: World, step: Step<World>): string | undefined
  /** Where nothing more has to happen. */
  isOver(world: World): boolean
}

export interface Step<World> {
  readonly by: 'system' | 'fault' | 'user'
  readonly name: string
  readonly world: World
}

export interface Exploration {
  readonly states: number
  readonly steps: number
  /** The shortest way to something wrong, in words; undefined when there is none. */
  readonly violation: string | undefined
}

interface Visit<World> {
  readonly world: World
  readonly from: string | undefined
  readonly name: string
}

/** Goes through every state that can be reached, breadth first, so that what is found is the shortest. */
export function explore<World>(model: Model<World>): Exploration {
  const keyOf = (world: World): string => JSON.stringify(world)
  const start = keyOf(model.initial)
  const seen = new Map<string, Visit<World>>([
    [start, { world: model.initial, from: undefined, name: 'begin' }],
  ])
  const before = new Map<string, string[]>()
  let steps = 0
  const trace = (key: string | undefined, last: string): string => {
    const names = [last]
    for (let at = key; at !== undefined; at = seen.get(at)?.from) names.unshift(seen.get(at)?.name ?? '?')
    return names.join(' → ')
  }
  for (const [key, { world }] of seen) {
    for (const step of model.next(world)) {
      steps++
      const wrong = model.broken(world, step)
      if (wrong !== undefined)
        return { states: seen.size, steps, violation: `${wrong}: ${trace(key, step.name)}` }
      const next = keyOf(step.world)
      if (!seen.has(next)) seen.set(next, { world: step.world, from: key, name: step.name })
      if (step.by === 'system') before.set(next, [...(before.get(next) ?? []), key])
    }
  }
  const stuck = cannotEnd(seen, before, model.isOver)
  const violation = stuck === undefined ? undefined : `no end can be reached: ${trace(stuck, 'for ever')}`
  return { states: seen.size, steps, violation }
}

/** The first state from which the system alone cannot come to an end. */
function cannotEnd<World>(
  seen: ReadonlyMap<string, Visit<World>>,
  before: ReadonlyMap<string, readonly string[]>,
  isOver: (world: World) => boolean,
): string | undefined {
  const good = new Set<string>()
  const open: string[] = []
  for (const [key, { world }] of seen) {
    if (!isOver(world)) continue
    good.add(key)
    open.push(key)
  }
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    for (const earlier of before.get(key) ?? []) {
      if (good.has(earlier)) continue
      good.add(earlier)
      open.push(earlier)
    }
  }
  return [...seen.keys()].find((key) => !good.has(key))
}
