import { hash } from 'node:crypto'

const ID = /\b[0-9a-hjkmnp-tv-z]{30}\b/g
const SHOWN_EXPIRY = '1896177600'
const SHOWN_TIME = '2030-01-31T12:00:00.000Z'
const FIRST_EVENT = 41
/** Ends are numbered apart: how many steps are told before one is a matter of milliseconds. */
const FIRST_END = 61

/**
 * What is another in each run is shown by a name that stays, and turned back where a command of the page says it. The first job
 * that is met is job1, and so on; so it is with tags and the numbers of events.
 */
export class Names {
  readonly #ids: string[] = []
  readonly #tags: string[] = []
  readonly #events: string[] = []
  readonly #ends: string[] = []
  /** Real texts by what is shown for them. */
  readonly #real = new Map<string, string>()

  shown(output: string): string {
    return output
      .replace(ID, (id) => (this.#real.get(id) === id ? id : this.#shownAs(id, this.#ids, shownId)))
      .replace(/(?<=^etag: ")[^"]+/gim, (tag) => this.#shownAs(tag, this.#tags, shownTag))
      .replace(/(?<=^id: )(\d+)(?=\r?\nevent: (\w+))/gm, (number, _, type) =>
        this.#eventShownAs(number, type),
      )
      .replace(
        /([\w]{30})(\/\w+)?\?expires=(\d+)&signature=([\w-]{43})/g,
        (_, id: string, verb: string = '', expires: string, signature: string) =>
          `${id}${verb}?${this.#signatureShownAs(`${id} ${verb === '/cancel'}`, expires, signature)}`,
      )
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, SHOWN_TIME)
  }

  real(command: string): string {
    for (const [id] of command.matchAll(ID)) this.#real.set(id, id)
    const known = [...this.#real].sort(([a], [b]) => b.length - a.length)
    return known.reduce((told, [shown, real]) => told.replaceAll(shown, real), command)
  }

  #shownAs(real: string, met: string[], name: (index: number) => string): string {
    if (!met.includes(real)) met.push(real)
    const shown = name(met.indexOf(real))
    this.#real.set(shown, real)
    return shown
  }

  #eventShownAs(number: string, type: string): string {
    const isEnd = ['done', 'dead', 'cancelled'].includes(type)
    const met = isEnd ? this.#ends : this.#events
    if (!met.includes(number)) met.push(number)
    const shown = String((isEnd ? FIRST_END : FIRST_EVENT) + met.indexOf(number))
    this.#real.set(`Last-Event-ID: ${shown}`, `Last-Event-ID: ${number}`)
    return shown
  }

  /** One link is signed anew every few seconds: it is shown by what it opens. */
  #signatureShownAs(opens: string, expires: string, signature: string): string {
    const shown = hash('sha256', opens, 'base64url')
    this.#real.set(shown, signature)
    this.#real.set(`expires=${SHOWN_EXPIRY}&signature=${shown}`, `expires=${expires}&signature=${signature}`)
    return `expires=${SHOWN_EXPIRY}&signature=${shown}`
  }
}

/** As long as an id; no id has an "o". */
const shownId = (index: number): string => `01m8a${`job${index + 1}`.padStart(25, '0')}`

const shownTag = (index: number): string => hash('sha256', `tag ${index}`, 'base64url').slice(0, 22)
