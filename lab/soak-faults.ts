import type { Crew } from './crew.ts'
import type { Post } from './post.ts'

interface Fault {
  readonly name: string
  /** How often, beside the others. */
  readonly weight: number
  readonly does: (crew: Crew, random: () => number, leaseMs: number) => void
}

const faults: readonly Fault[] = [
  { name: 'worker killed', weight: 40, does: ({ workers }, random) => void oneOf(workers, random).kill() },
  {
    name: 'producer killed',
    weight: 15,
    does: ({ producers }, random) => void oneOf(producers, random).kill(),
  },
  {
    name: 'worker stopped cleanly',
    weight: 12,
    does: ({ workers }, random) => oneOf(workers, random).stop(),
  },
  {
    name: 'producer stopped cleanly',
    weight: 5,
    does: ({ producers }, random) => oneOf(producers, random).stop(),
  },
  {
    name: 'worker paused longer than the lease',
    weight: 12,
    does: ({ workers }, random, leaseMs) => void oneOf(workers, random).pause(leaseMs * (1.2 + random())),
  },
  {
    name: 'producer paused longer than the lease',
    weight: 6,
    does: ({ producers }, random, leaseMs) => void oneOf(producers, random).pause(leaseMs * (1.2 + random())),
  },
  {
    name: 'long-lived process paused briefly',
    weight: 10,
    does: ({ producers, workers }, random, leaseMs) => {
      const [post] = random() < 0.5 ? producers : workers
      void post?.pause(leaseMs * (0.1 + 0.3 * random()))
    },
  },
]

/** Does the next fault of the plan to a crew; answers its name. */
export function nextFault(crew: Crew, random: () => number, leaseMs: number): string | undefined {
  let at = random() * faults.reduce((sum, { weight }) => sum + weight, 0)
  for (const { name, weight, does } of faults) {
    at -= weight
    if (at >= 0) continue
    does(crew, random, leaseMs)
    return name
  }
  return undefined
}

/** Any but the first, which lives as long as the soak. */
function oneOf(posts: readonly Post[], random: () => number): Post {
  return posts[1 + Math.floor(random() * (posts.length - 1))] as Post
}
