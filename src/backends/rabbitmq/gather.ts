import type { Writable } from 'node:stream'

/**
 * What is written to a stream in one turn goes out in one call of the system. amqplib writes each message by itself, which costs
 * this process and the server more than the message.
 */
export function gather(stream: Writable): void {
  const write = stream.write.bind(stream) as (...chunk: unknown[]) => boolean
  let isGathering = false
  const gathered = (...chunk: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true
      stream.cork()
      process.nextTick(() => {
        isGathering = false
        stream.uncork()
      })
    }
    return write(...chunk)
  }
  stream.write = gathered
}
