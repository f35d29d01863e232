/** One event of an event stream. */
export interface ServerEvent {
  readonly id: number
  readonly event: string
  readonly data: Record<string, unknown>
  /** Milliseconds, where the stream tells them with this event. */
  readonly retry: number | undefined
}

/** Reads an event stream line by line, as a browser does. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''
  /** The comments so far. */
  comments = 0

  constructor(answer: Response) {
    if (answer.body === null) throw new Error(`an answer of ${answer.status} without a body`)
    this.#reader = answer.body.getReader()
  }

  /** The next event; undefined at the end of the stream. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const block = await this.#block()
      if (block === undefined) return undefined
      const fields = block.split('\n').map((line) => /^([^:]*)(?:: ?)?(.*)$/.exec(line) ?? [])
      const field = (wanted: string): string | undefined => fields.find(([, name]) => name === wanted)?.[2]
      this.comments += fields.filter(([, name]) => name === '').length
      const data = field('data')
      if (data === undefined) continue
      const retry = field('retry')
      return {
        id: Number(field('id')),
        event: field('event') ?? 'message',
        data: JSON.parse(data),
        retry: retry === undefined ? undefined : Number(retry),
      }
    }
  }

  /** Every event up to the end of the stream. */
  async rest(): Promise<ServerEvent[]> {
    const events: ServerEvent[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event)
    return events
  }

  /** Waits for a comment. */
  async comment(): Promise<void> {
    const block = await this.#block()
    if (block !== ':') throw new Error(`no comment but ${block}`)
    this.comments++
  }

  async leave(): Promise<void> {
    await this.#reader.cancel()
  }

  async #block(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end !== -1) {
        const block = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return block
      }
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }
}
