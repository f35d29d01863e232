/** One line a second: rewritten in place on a terminal, plain lines elsewhere. Returns how to end it. */
export function showProgress(line: () => string): () => void {
  const tty = process.stdout.isTTY === true
  let shown = ''
  const show = (): void => {
    const next = line()
    if (next !== shown) process.stdout.write(tty ? `\r\u001b[K${next}` : `${next}\n`)
    shown = next
  }
  const timer = setInterval(show, 1000)
  return () => {
    clearInterval(timer)
    show()
    if (tty) process.stdout.write('\n')
  }
}
