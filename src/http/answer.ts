/** What an HTTP adapter needs to answer a request: plain data, so that no framework is named here. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Sent as JSON; undefined for an answer without a body. */
  readonly body: object | undefined
}

/** The body as it goes over the wire. */
export function bodyText(answer: Answer): string | null {
  return answer.body === undefined ? null : JSON.stringify(answer.body)
}

/** The answer as a web-standard response. */
export function toResponse(answer: Answer): Response {
  return new Response(bodyText(answer), { status: answer.status, headers: { ...answer.headers } })
}
