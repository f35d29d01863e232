/** An answer that is no success, as the problem document tells it. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly faults: readonly { readonly path: string; readonly detail: string }[]

  constructor(status: number, code: string, message: string, faults: ApiError['faults'] = []) {
    super(message)
    this.status = status
    this.code = code
    this.faults = faults
  }
}

export async function get<Value>(path: string, signal?: AbortSignal): Promise<Value> {
  const answer = await asked(path, signal === undefined ? {} : { signal })
  return (await answer.json()) as Value
}

export async function post<Value>(path: string, body: object = {}): Promise<Value> {
  return (await (await send(path, body)).json()) as Value
}

/** Each line of an answer that is told as it comes. */
export async function* postLines<Line>(path: string, body: object): AsyncGenerator<Line> {
  const answer = await send(path, body)
  if (answer.body === null) return
  let rest = ''
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as Line
  }
}

/** A path with its query; members that are empty are left out. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(name, String(value))
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}

function send(path: string, body: object): Promise<Response> {
  return asked(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-offload-dashboard': '1' },
    body: JSON.stringify(body),
  })
}

async function asked(path: string, init: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(`api/${path}`, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'UNREACHABLE', 'The server of this page does not answer.')
  }
  if (answer.ok) return answer
  throw await problemIn(answer)
}

async function problemIn(answer: Response): Promise<ApiError> {
  const problem = (await answer.json().catch(() => ({}))) as {
    title?: string
    detail?: string
    code?: string
    errors?: ApiError['faults']
  }
  const { title = answer.statusText, detail, code = `HTTP ${answer.status}`, errors = [] } = problem
  return new ApiError(answer.status, code, detail ?? title, errors)
}
