/** The fields of one block of an event stream; only those that it had. */
export interface Message {
  id?: string
  event?: string
  data?: string
  retry?: string
}

/**
 * Reads an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html) piece by piece: each call takes the next
 * piece of text, cut anywhere, and gives the messages that are whole by now.
 */
export function messageReader(): (text: string) => Message[] {
  let rest = ''
  let message: Message = {}
  return (text) => {
    // A CR at the very end may be the first half of a CR LF.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    const whole: Message[] = []
    for (const line of lines) {
      if (line !== '') take(message, line)
      else if (Object.keys(message).length > 0) {
        whole.push(message)
        message = {}
      }
    }
    return whole
  }
}

function take(message: Message, line: string): void {
  const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
  if (name === 'data') message.data = message.data === undefined ? value : `${message.data}\n${value}`
  else if (name === 'id' || name === 'event' || name === 'retry') message[name] = value
}
