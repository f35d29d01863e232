import { parseArgs } from 'node:util'
import { connect } from 'amqplib'

/** What the next end of the job says anew. */
const OF_THE_END = /^(?:offload-(?:attempts|ended-at|fault-.*)|x-.*)$/

/**
 * With `ledger: 'none'`: puts the dead letters that a queue has now back into it, to be tried from the first attempt. Each is
 * gone from the dead letters once the server has it in the queue; whoever stops in between has it in both.
 */
export async function redrive(url: string, queue: string, prefix = 'offload'): Promise<number> {
  const connection = await connect(url)
  try {
    const channel = await connection.createConfirmChannel()
    let isReturned = false
    channel.on('return', () => {
      isReturned = true
    })
    const dead = `${prefix}.dead.${queue}`
    const { messageCount } = await channel.checkQueue(dead)
    let moved = 0
    for (; moved < messageCount; moved++) {
      const letter = await channel.get(dead)
      if (letter === false) break
      const { headers, expiration: _, ...properties } = letter.properties
      const kept = Object.entries(headers ?? {}).filter(([name]) => !OF_THE_END.test(name))
      channel.publish(`${prefix}.jobs`, queue, letter.content, {
        ...properties,
        headers: Object.fromEntries(kept),
        mandatory: true,
      })
      await channel.waitForConfirms()
      if (isReturned) throw new Error(`no queue is bound to ${prefix}.jobs with the key ${queue}`)
      channel.ack(letter)
    }
    // Else the last acknowledgement could be overtaken by the end of the connection.
    await channel.close()
    return moved
  } finally {
    await connection.close()
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { prefix: { type: 'string' } },
  })
  const [url, queue = 'default'] = positionals
  if (url === undefined) throw new Error('usage: redrive.ts amqp://… [queue] [--prefix offload]')
  console.log(`${await redrive(url, queue, values.prefix)} dead letters are in the queue again`)
}
