import type { ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'

/** Starts the next process; `ended` resolves with its exit code or the signal that killed it. */
type Next = () => { child: ChildProcess; ended: Promise<number | string> }

/** A place for a process: when one ends, the next takes it. */
export class Post {
  /** A producer has all its jobs accepted. */
  isDone = false
  /** How many killed themselves, at a named point. */
  ownKills = 0
  /** Resolves when nobody here is paused. */
  resting: Promise<void> = Promise.resolve()
  readonly #next: Next
  readonly #ends: boolean
  #child: ChildProcess | undefined
  #killed = false
  #closed = false
  readonly #last: Promise<void>

  /** @param ends whether a process that ends by itself has done all there is to do here */
  constructor(next: Next, ends: boolean) {
    this.#ends = ends
    this.#next = next
    this.#last = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#closed && !this.isDone) {
      const { child, ended } = this.#next()
      this.#child = child
      this.#killed = false
      const how = await ended
      if (how === 'SIGKILL' && !this.#killed) this.ownKills++
      if (how === 0 && this.#ends) this.isDone = true
    }
  }

  /** Answers the id of the process that was killed; undefined when there was none to kill. */
  kill(): number | undefined {
    if (this.#child?.pid === undefined || this.isDone || this.#killed) return undefined
    this.#killed = true
    this.#child.kill('SIGKILL')
    return this.#child.pid
  }

  async pause(ms: number): Promise<void> {
    const child = this.#child
    const { promise, resolve } = Promise.withResolvers<void>()
    this.resting = promise
    child?.kill('SIGSTOP')
    await wait(ms)
    child?.kill('SIGCONT')
    resolve()
  }

  /** Who is here ends cleanly, if it can; `last`: and nobody follows. */
  stop(last = false): void {
    if (last) this.#closed = true
    if (this.#child?.connected === true) this.#child.send('stop', () => {})
  }

  /** Resolves when nobody is here and nobody follows. */
  async end(): Promise<void> {
    await this.#last
  }
}
