/** What is of each queue, in its order. */
export function byQueue<One extends { readonly queue: string }>(all: readonly One[]): Map<string, One[]> {
  const queues = new Map<string, One[]>()
  for (const one of all) {
    const own = queues.get(one.queue)
    if (own === undefined) queues.set(one.queue, [one])
    else own.push(one)
  }
  return queues
}
