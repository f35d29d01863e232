/** A receiver that nothing is sent to until it is enabled by hand. */
export interface DisabledReceiver {
  /** The name of an endpoint, or `url:` and a digest for a URL of one request. */
  readonly name: string
  readonly url: string
  readonly reason: string
  /** Since when (ms). */
  readonly at: number
}

/** Remembers which receivers are disabled, for every process that delivers. */
export interface Receivers {
  /** Undefined: it is not disabled. */
  state(name: string): Promise<DisabledReceiver | undefined>
  /** False when it was disabled already, and stays as it was. */
  disable(receiver: DisabledReceiver): Promise<boolean>
  /** False when it was not disabled. */
  enable(name: string): Promise<boolean>
  list(): Promise<readonly DisabledReceiver[]>
}

/** Known to this process alone, until it ends. */
export function memoryReceivers(): Receivers {
  const disabled = new Map<string, DisabledReceiver>()
  return {
    state: async (name) => disabled.get(name),
    disable: async (receiver) => {
      if (disabled.has(receiver.name)) return false
      disabled.set(receiver.name, receiver)
      return true
    },
    enable: async (name) => disabled.delete(name),
    list: async () => [...disabled.values()],
  }
}
