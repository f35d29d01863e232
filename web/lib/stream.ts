const AGAIN_MS = 3000

/** A stream that is opened again when it breaks, and also when it is refused, which browsers take for final. Call the answer to end it. */
export function openStream(path: string, attach: (stream: EventSource) => void): () => void {
  let stream: EventSource
  let again: ReturnType<typeof setTimeout> | undefined
  const open = (): void => {
    stream = new EventSource(`api/${path}`)
    stream.addEventListener('error', () => {
      if (stream.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS)
    })
    attach(stream)
  }
  open()
  return () => {
    clearTimeout(again)
    stream.close()
  }
}
