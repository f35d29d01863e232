import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** The name of the session's cookie has the port: several may run on one host. */
const COOKIE = 'offload-dashboard'

/**
 * Lets one browser in by a link that is good once, and keeps it in by a cookie. Only who can read the terminal has the link;
 * the session ends with the process.
 */
export class Door {
  readonly #base: string
  readonly #onUsed: () => void
  readonly #session = secret()
  #ticket = secret()
  #port = 0

  /** @param onUsed told that the link was used: there is another now */
  constructor(base: string, onUsed: () => void) {
    this.#base = base
    this.#onUsed = onUsed
  }

  /** The link that lets in, once. @param port where the server listens */
  link(port: number): string {
    this.#port = port
    return `http://127.0.0.1:${port}${this.#base}/open?ticket=${this.#ticket}`
  }

  /** Whether a request has the session. */
  hasSession(request: Request): boolean {
    const cookies = (request.headers.get('cookie') ?? '').split(';').map((one) => one.trim())
    const [, value = ''] = cookies.find((one) => one.startsWith(`${this.#cookie}=`))?.split('=') ?? []
    return equals(value, this.#session)
  }

  /** Answers what is not the dashboard's: strangers, the link, the way to the page. False for everything else. */
  answer(req: IncomingMessage, res: ServerResponse): boolean {
    const { host = '' } = req.headers
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://127.0.0.1')
    if (!this.#isOwn(host)) say(res, 421, 'This dashboard is at 127.0.0.1 alone.')
    else if (pathname === '/') goTo(res, `${this.#base}/`)
    else if (pathname === `${this.#base}/open`) this.#open(res, searchParams.get('ticket') ?? '')
    else return false
    return true
  }

  /** A name of somebody else's that leads here is theirs to read. */
  #isOwn(host: string): boolean {
    return host === `127.0.0.1:${this.#port}` || host === `localhost:${this.#port}`
  }

  #open(res: ServerResponse, ticket: string): void {
    if (!equals(ticket, this.#ticket)) {
      say(res, 403, 'This link was used, or is another one: the terminal shows the one that is good now.')
      return
    }
    this.#ticket = secret()
    res.setHeader(
      'set-cookie',
      `${this.#cookie}=${this.#session}; HttpOnly; SameSite=Lax; Path=${this.#base}`,
    )
    goTo(res, `${this.#base}/`)
    this.#onUsed()
  }

  get #cookie(): string {
    return `${COOKIE}-${this.#port}`
  }
}

function secret(): string {
  return randomBytes(24).toString('base64url')
}

function equals(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

const closed = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }

function goTo(res: ServerResponse, location: string): void {
  res.writeHead(303, { ...closed, location }).end()
}

function say(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { ...closed, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}
