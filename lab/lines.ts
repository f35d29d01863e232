import type { Socket } from 'node:net'

/** Whole lines of a socket; a last one that was cut off is none. */
export function onLines(socket: Socket, heed: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) heed(line)
  })
}
