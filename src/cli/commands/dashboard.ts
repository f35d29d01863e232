import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OffloadError } from '../../job/errors.ts'
import type { Offload } from '../../offload.ts'
import type { Call } from '../call.ts'
import type { Command } from '../command.ts'
import { Door } from '../door.ts'
import type { Loaded } from '../module.ts'
import { loadModule } from '../module.ts'
import { heedSignals } from '../signals.ts'
import { withQueue } from '../store.ts'

const BASE = '/offload'

export const dashboard: Command = {
  name: 'dashboard',
  args: '[<module>]',
  takes: [0, 1],
  summary: 'serves a page that shows and steers the queue, to this host alone',
  options: [
    { name: 'port', value: '<n>', help: 'where it listens; a free one unless told otherwise' },
    { name: 'read-only', help: 'nothing can be changed there' },
  ],
  about: [
    'It prints a link that lets one browser in, once; the terminal shows the next one then. With a module, jobs of its tasks can be',
    'queued there. A queue that it exports is used with its own URL, unless --url is given.',
    'It runs until SIGTERM or SIGINT. For a team, put the dashboard into the application, behind its own login.',
  ],
  async run(call) {
    call.terminal.whenClosed = 'goOn'
    const [specifier] = call.args
    const { tasks, queue: exported }: Pick<Loaded, 'tasks' | 'queue'> =
      specifier === undefined ? { tasks: [], queue: undefined } : await loadModule(specifier, process.cwd())
    if (exported === undefined || call.flag('url'))
      return withQueue(call, (queue) => serve(call, queue), tasks)
    try {
      return await serve(call, exported)
    } finally {
      await exported.close()
    }
  },
}

async function serve(call: Call, queue: Offload): Promise<number> {
  const signals = heedSignals()
  signals.onForced = () => call.terminal.note('ended by force')
  await queue.ready()
  const door = new Door(BASE, () => tellLink('opened; for another browser'))
  // No other command waits for its modules.
  const { dashboard: boardOf } = await import('../../dashboard/dashboard.ts')
  const board = boardOf(queue, {
    base: BASE,
    readOnly: call.flag('read-only'),
    authorize: (request) => door.hasSession(request),
  })
  const server = createServer((req, res) => {
    if (!door.answer(req, res)) board.node(req, res)
  })
  const port = await listening(server, call.number('port') ?? 0)
  const tellLink = (words: string): void => {
    const link = door.link(port)
    call.terminal.data({ event: 'link', link })
    call.terminal.print(`${words}: ${link}`)
  }
  tellLink('dashboard')
  await signals.first
  board.close()
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  return 0
}

/** To programs of this host alone. @throws OPTION_INVALID */
async function listening(server: Server, port: number): Promise<number> {
  if (port > 65_535) throw new OffloadError('OPTION_INVALID', `--port must be at most 65535, not ${port}`)
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code = 'no reason' } = cause as NodeJS.ErrnoException
    throw new OffloadError(
      'OPTION_INVALID',
      `port ${port} of 127.0.0.1 cannot be used (${code}): name another, or none`,
      {
        cause,
      },
    )
  }
  return (server.address() as AddressInfo).port
}
