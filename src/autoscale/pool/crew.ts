/** The places of the workers on one host: what each is at, and what is to be done about it. Pure. */
export interface Crew {
  readonly places: readonly Place[]
  readonly nextId: number
  /** Some worker has claimed jobs: what happens at a start from now on is no fault of what they all run. */
  readonly everWorked: boolean
  readonly stopping: boolean
}

/** One worker, and those that take its place after crashes. */
export interface Place {
  readonly id: number
  /**
   * `starting`: its process claims nothing yet. `retiring`: it claims nothing any more. `waiting`: its process crashed, the
   * next is not due.
   */
  readonly phase: 'starting' | 'working' | 'retiring' | 'waiting'
  /** When the phase began, by a clock that is never set back (ms). */
  readonly since: number
  /** In a row, each before it had worked for long. */
  readonly crashes: number
  /** When the next process is started; of one that waits. */
  readonly dueAt?: number
  /** It was given up and is being killed. */
  readonly killed?: true
}

export interface CrewRules {
  /** How long a retiring worker may take to end; then it is killed. */
  readonly graceMs: number
  /** How long a process may take until it claims. */
  readonly startMs: number
}

export type Happening =
  /** `load`: how many jobs each runs; those that run the fewest are retired. */
  | { readonly type: 'wanted'; readonly workers: number; readonly load: ReadonlyMap<number, number> }
  | { readonly type: 'working'; readonly id: number }
  /** Its process is gone. */
  | { readonly type: 'ended'; readonly id: number }
  | { readonly type: 'time' }
  | { readonly type: 'stop' }

export type Order = { readonly type: 'start' | 'retire' | 'kill'; readonly id: number }

export const FIRST_BACK_OFF_MS = 500
export const LAST_BACK_OFF_MS = 30_000
/** Who worked for so long and crashes then has not crashed in a row. */
export const STEADY_MS = 10_000
/** So many crashes in a row are a loop. */
export const LOOP = 3

export const nobody: Crew = { places: [], nextId: 1, everWorked: false, stopping: false }

/** Those that work, or will without another order. */
export function staff({ places }: Crew): readonly Place[] {
  return places.filter(({ phase }) => phase !== 'retiring')
}

/** No worker ever came to work, and one has failed so often that none will. */
export function isHopeless({ places, everWorked }: Crew): boolean {
  return !everWorked && places.some(({ crashes }) => crashes >= LOOP)
}

/** What becomes of the crew, and what to do for it now. `random`: 0 to 1. */
export function next(
  crew: Crew,
  happening: Happening,
  rules: CrewRules,
  now: number,
  random: number,
): { readonly crew: Crew; readonly orders: readonly Order[] } {
  switch (happening.type) {
    case 'wanted':
      return crew.stopping ? { crew, orders: [] } : wanted(crew, happening, now)
    case 'working':
      return working(crew, happening.id, now)
    case 'ended':
      return ended(crew, happening.id, now, random)
    case 'time':
      return timed(crew, rules, now)
    case 'stop':
      return retire({ ...crew, stopping: true }, staff(crew), now)
  }
}

type Step = ReturnType<typeof next>

function wanted(crew: Crew, { workers, load }: Extract<Happening, { type: 'wanted' }>, now: number): Step {
  const there = staff(crew)
  if (workers < there.length) {
    const cost = ({ id, phase }: Place): number => costs[phase] + (load.get(id) ?? 0)
    const cheapest = [...there].sort((a, b) => cost(a) - cost(b) || b.id - a.id)
    return retire(crew, cheapest.slice(0, there.length - workers), now)
  }
  const ids = Array.from({ length: workers - there.length }, (_, nth) => crew.nextId + nth)
  const fresh = ids.map((id): Place => ({ id, phase: 'starting', since: now, crashes: 0 }))
  return {
    crew: { ...crew, places: [...crew.places, ...fresh], nextId: crew.nextId + ids.length },
    orders: ids.map((id) => ({ type: 'start', id })),
  }
}

/** Nothing is lost with a place that waits, and no run with one that starts. */
const costs: Readonly<Record<Place['phase'], number>> = {
  waiting: -2e9,
  starting: -1e9,
  working: 0,
  retiring: 0,
}

function retire(crew: Crew, leaving: readonly Place[], now: number): Step {
  const ids = new Set(leaving.map(({ id }) => id))
  const places = crew.places.flatMap((place): Place[] => {
    if (!ids.has(place.id)) return [place]
    return place.phase === 'waiting' ? [] : [{ ...place, phase: 'retiring', since: now }]
  })
  const orders = leaving
    .filter(({ phase }) => phase !== 'waiting')
    .map(({ id }): Order => ({ type: 'retire', id }))
  return { crew: { ...crew, places }, orders }
}

function working(crew: Crew, id: number, now: number): Step {
  const places = crew.places.map(
    (place): Place =>
      place.id === id && place.phase === 'starting' ? { ...place, phase: 'working', since: now } : place,
  )
  return { crew: { ...crew, places, everWorked: true }, orders: [] }
}

function ended(crew: Crew, id: number, now: number, random: number): Step {
  const places = crew.places.flatMap((place): Place[] => {
    if (place.id !== id || place.phase === 'waiting') return [place]
    return place.phase === 'retiring' ? [] : [crashed(place, now, random)]
  })
  return { crew: { ...crew, places }, orders: [] }
}

function crashed({ id, phase, since, crashes }: Place, now: number, random: number): Place {
  const isSteady = phase === 'working' && now - since >= STEADY_MS
  const inARow = isSteady ? 1 : crashes + 1
  return { id, phase: 'waiting', since: now, crashes: inARow, dueAt: now + backOff(inARow, random) }
}

/** Doubles with each crash; half of it is by chance, so that workers that fell together do not rise together. */
function backOff(crashes: number, random: number): number {
  const most = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (crashes - 1))
  return most * (0.5 + random / 2)
}

function timed(crew: Crew, { graceMs, startMs }: CrewRules, now: number): Step {
  const orders: Order[] = []
  const places = crew.places.map((place): Place => {
    const { id, phase, since, crashes, dueAt = 0 } = place
    if (phase === 'waiting' && now >= dueAt) {
      orders.push({ type: 'start', id })
      return { id, phase: 'starting', since: now, crashes }
    }
    const isLate =
      (phase === 'retiring' && now - since >= graceMs) || (phase === 'starting' && now - since >= startMs)
    if (!isLate || place.killed === true) return place
    orders.push({ type: 'kill', id })
    return { ...place, killed: true }
  })
  return { crew: { ...crew, places }, orders }
}
