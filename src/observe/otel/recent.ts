/** Remembers what came last, up to so many. */
export class Recent<Value> {
  readonly #most: number
  readonly #values = new Map<string, Value>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#values.size
  }

  set(key: string, value: Value): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size <= this.#most) return
    const [oldest] = this.#values.keys()
    if (oldest !== undefined) this.#values.delete(oldest)
  }

  /** The value, which is forgotten. */
  take(key: string): Value | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) this.#values.delete(key)
    return value
  }
}
