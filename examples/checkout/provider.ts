import { setTimeout as sleep } from 'node:timers/promises'

const charged = new Map<string, number>()
let calls = 0

/** A payment provider that takes the money and then, every second time, loses its answer. Its idempotency key saves the customer. */
export async function charge(order: string, cents: number): Promise<string> {
  await sleep(50)
  if (!charged.has(order)) charged.set(order, cents)
  if (++calls % 2 === 1) throw new Error('connection reset')
  return `paid ${charged.get(order)} cents`
}

/** How often each card was charged. */
export const charges = (): number => charged.size
