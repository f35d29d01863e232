import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export interface RedisServer {
  readonly port: number
  stop(): Promise<void>
}

/** Starts a Redis server of our own on a free port of loopback; undefined where there is none and none can be installed. */
export async function startRedis(
  settings: readonly string[] = ['--save', '', '--appendonly', 'no'],
): Promise<RedisServer | undefined> {
  if (!isInstalled() && !install()) return undefined
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'offload-redis-'))
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no']
  const server = spawn('redis-server', [...own, ...settings], { stdio: 'ignore' })
  const gone = once(server, 'exit')
  const stop = async (): Promise<void> => {
    server.kill()
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 200; tries++) {
    if (await answers(port)) return { port, stop }
    await wait(25)
  }
  await stop()
  throw new Error(`redis-server does not answer on port ${port}`)
}

const isInstalled = (): boolean => spawnSync('redis-server', ['--version']).status === 0

/** Debian's, where we may. */
function install(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  console.log('installing redis-server …')
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], {
    stdio: 'ignore',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  })
  return isInstalled()
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', () => end(false))
    socket.once('data', (data) => end(data.toString().startsWith('+PONG')))
    socket.once('connect', () => socket.write('PING\r\n'))
  })
}
