import { setTimeout as sleep } from 'node:timers/promises'
import type { Order } from './steps.ts'

export interface Answered {
  readonly orderId: string
  readonly ms: number
  /** The HTTP status, or why there was none. */
  readonly status: number | 'timeout' | 'refused'
}

const CLIENT_TIMEOUT_MS = 3000

/** Customers: they come at their rate whether or not the shop keeps up, and leave after three seconds. */
export class Load {
  readonly answers: Answered[] = []
  #placed = 0
  #running = new Set<Promise<void>>()
  readonly #name: string
  readonly #url: string

  constructor(name: string, url: string) {
    this.#name = name
    this.#url = url
  }

  get placed(): number {
    return this.#placed
  }

  /** The orders that the shop has answered well: what it now owes. */
  accepted(): string[] {
    return this.answers.filter(isGood).map(({ orderId }) => orderId)
  }

  async run(perSecond: number, seconds: number): Promise<void> {
    const start = performance.now()
    const total = perSecond * seconds
    for (let sent = 0; sent < total; sent++) {
      const due = start + (sent * 1000) / perSecond - performance.now()
      if (due > 0) await sleep(due)
      const placing = this.#place().finally(() => this.#running.delete(placing))
      this.#running.add(placing)
    }
    const rest = start + seconds * 1000 - performance.now()
    if (rest > 0) await sleep(rest)
  }

  async answered(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #place(): Promise<void> {
    this.#placed += 1
    const orderId = `${this.#name}-${this.#placed}`
    const order: Order = {
      orderId,
      to: `${orderId}@customers.example`,
      sku: 'book',
      quantity: 1 + (this.#placed % 3),
    }
    const start = performance.now()
    const status = await post(this.#url, order)
    this.answers.push({ orderId, ms: performance.now() - start, status })
  }
}

export function isGood({ status }: Answered): boolean {
  return status === 201 || status === 202
}

async function post(url: string, body: Order): Promise<Answered['status']> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CLIENT_TIMEOUT_MS),
    })
    await answer.text()
    return answer.status
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError' ? 'timeout' : 'refused'
  }
}
