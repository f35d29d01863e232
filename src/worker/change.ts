/** Lets loops wait until what they look at may be different. */
export class Change {
  readonly #awaiting: (() => void)[] = []

  wait(): Promise<void> {
    return new Promise((resolve) => this.#awaiting.push(resolve))
  }

  tell(): void {
    if (this.#awaiting.length === 0) return
    for (const resolve of this.#awaiting.splice(0)) resolve()
  }
}
