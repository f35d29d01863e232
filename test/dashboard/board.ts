import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DashboardOptions, DashboardSource } from 'offload/dashboard'
import { dashboard } from 'offload/dashboard'
import { buildPage } from '../../scripts/web.ts'

export interface Board {
  /** Of the page. */
  readonly url: string
  close(): Promise<void>
}

/** The dashboard of a queue in a server on loopback, open to whoever asks unless told otherwise. */
export async function openBoard(
  queue: DashboardSource,
  options: Partial<DashboardOptions> = {},
  port = 0,
): Promise<Board> {
  await buildPage()
  const board = dashboard(queue, { authorize: () => true, ...options })
  const server = createServer((req, res) => board.node(req, res)).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/offload/`,
    async close() {
      board.close()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
