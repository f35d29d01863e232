import type { Ask } from '../http/ask.ts'
import { OffloadError } from '../job/errors.ts'
import type { DashboardAction, Settings } from './options.ts'
import { dashboardActions } from './options.ts'

/** A page of another origin cannot send it without asking first, and is refused then. */
const HEADER = 'x-offload-dashboard'

/** Lets through who may. */
export class Guard {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** @throws FORBIDDEN, or the response that the hook threw */
  async check(ask: Ask, action: DashboardAction): Promise<void> {
    if (this.#isShut(action)) throw forbidden('this dashboard is read-only')
    if ((await this.#settings.authorize(ask.request, action)) !== true)
      throw forbidden(`this request may not do this here: ${action}`)
  }

  /** Whether it would be let through: a response that the hook throws is a no here. */
  async may(ask: Ask, action: DashboardAction): Promise<boolean> {
    if (this.#isShut(action)) return false
    try {
      return (await this.#settings.authorize(ask.request, action)) === true
    } catch (error) {
      if (error instanceof Response) return false
      throw error
    }
  }

  /** What the page shows buttons for. */
  async allowed(ask: Ask): Promise<DashboardAction[]> {
    const verdicts = await Promise.all(dashboardActions.map((action) => this.may(ask, action)))
    return dashboardActions.filter((_, at) => verdicts[at])
  }

  #isShut(action: DashboardAction): boolean {
    return this.#settings.readOnly && action !== 'view' && action !== 'payload'
  }
}

/** Refuses what another page made a browser send with somebody's cookies. @throws FORBIDDEN */
export function checkSender(ask: Ask): void {
  if (ask.header(HEADER) === undefined)
    throw forbidden(`a request that changes something needs the header ${HEADER}: 1`)
  const site = ask.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin') throw forbidden('only the page itself may do this')
  const origin = ask.header('origin')
  if (site !== undefined || origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== ask.header('host'))
    throw forbidden('only the page itself may do this')
}

function forbidden(message: string): OffloadError {
  return new OffloadError('FORBIDDEN', message)
}
