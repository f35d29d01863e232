/** One line a second: rewritten in place on a terminal, plain lines elsewhere. Returns how to end it. */
export function showProgress(line: () => string): () => void {
  const tty = process.stdout.isTTY === true
  const show = (): void => void process.stdout.write(tty ? `\r\u001b[K${line()}` : `${line()}\n`)
  const timer = setInterval(show, 1000)
  return () => {
    clearInterval(timer)
    show()
    if (tty) process.stdout.write('\n')
  }
}
