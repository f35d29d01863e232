import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { disownFolder, ownFolder } from './leftovers.ts'

/** Below the ports that a system gives out by itself (Linux: from 32768), so that none is lost while its server is down. */
const FIRST = 12_000
const COUNT = 10_000
/** A server's second port is this much higher: the bus of a cluster's node, or TLS. */
export const SECOND: number = 10_000
const TRIES = 200

/** Where a server is at home: a port of loopback, the one SECOND above it, and a folder. No other process takes them before it is left. */
export interface Place {
  readonly port: number
  readonly folder: string
}

export async function takePlace(): Promise<Place> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    const folder = join(tmpdir(), `offload-server-${port}`)
    if (!takeFolder(folder)) continue
    if ((await isFree(port)) && (await isFree(port + SECOND))) return { port, folder }
    leavePlace({ port, folder })
  }
  throw new Error(
    `no free port from ${FIRST} to ${FIRST + COUNT}: are there old folders ${tmpdir()}/offload-server-*?`,
  )
}

export function leavePlace({ folder }: Place): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  disownFolder(folder)
}

/** Making a folder is what only one process can do. */
export function takeFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
  ownFolder(folder)
  return true
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
