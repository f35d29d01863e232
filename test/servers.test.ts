import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { startCluster } from '../scripts/servers/cluster.ts'
import { Link } from '../scripts/servers/proxy.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { startSentinel } from '../scripts/servers/sentinel.ts'
import { startValkey } from '../scripts/servers/valkey.ts'
import { needs, own } from './servers.ts'

const ON_DISK = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']

const redis = await needs('redis', startRedis)
const valkey = await needs('valkey', startValkey)

describe.each([
  { name: 'redis', shared: redis, start: startRedis },
  { name: 'valkey', shared: valkey, start: startValkey },
])('a server of our own: $name', ({ name, shared, start }) => {
  test.skipIf(shared === undefined)('answers on its port, and says who it is', async () => {
    const server = await own(name, start)
    expect(await said(connect(server.port, '127.0.0.1'), 'PING\r\n')).toBe('+PONG\r\n')
    expect(await server.ask('info', 'server')).toContain(`process_id:${server.pid}\r\n`)
    expect(await server.ask('info', 'server')).toContain(
      name === 'valkey' ? 'valkey_version:9' : 'redis_version:',
    )
    await expect(server.ask('lpush', 'list')).rejects.toThrow('wrong number of arguments')
  })

  test.skipIf(shared === undefined)('has after a kill and a restart what it had put on disk', async () => {
    const server = await own(name, () => start(ON_DISK))
    const { pid, port, folder } = server
    await server.ask('set', 'order', '42')
    await server.kill()
    expect(server.isRunning).toBe(false)
    await expect(server.ask('ping')).rejects.toThrow('Connection refused')
    await server.restart()
    expect([server.port, server.folder]).toEqual([port, folder])
    expect(server.pid).not.toBe(pid)
    expect(await server.ask('get', 'order')).toBe('42')
  })

  test.skipIf(shared === undefined)('is silent while it is paused, and can be stopped so', async () => {
    const server = await own(name, start)
    await server.pause()
    const socket = connect(server.port, '127.0.0.1')
    const answer = said(socket, 'PING\r\n')
    await once(socket, 'connect')
    expect(await Promise.race([answer, stillPaused(server.pid)])).toBe('paused')
    server.continue()
    expect(await answer).toBe('+PONG\r\n')
    await server.pause()
    await server.stop()
    expect(existsSync(server.folder)).toBe(false)
    expect(server.isRunning).toBe(false)
  })
})

if (redis !== undefined) {
  test('a server that is stopped and restarted has the same port and nothing else', async () => {
    const server = await own('redis', () => startRedis(ON_DISK))
    const { port } = server
    await server.ask('set', 'order', '42')
    await server.stop()
    await server.restart()
    expect(server.port).toBe(port)
    expect(await server.ask('dbsize')).toBe('0')
  })

  test('many servers started at once have ports of their own', async () => {
    const servers = await Promise.all(Array.from({ length: 5 }, () => own('redis', startRedis)))
    expect(new Set(servers.map(({ port }) => port)).size).toBe(5)
    for (const server of servers)
      expect(await server.ask('info', 'server')).toContain(`process_id:${server.pid}\r\n`)
  })

  test('a setting that the server does not know is told, and leaves nothing', async () => {
    await expect(startRedis(['--colour', 'red'])).rejects.toThrow(/ended at once: .*'colour "red"'/s)
  })

  test('a client needs the password of the settings, which the url has', async () => {
    const server = await own('redis', () => startRedis(['--requirepass', 'a "b" ü/@:']))
    expect(await said(connect(server.port, '127.0.0.1'), 'PING\r\n')).toMatch(/^-NOAUTH/)
    const client = new Redis(server.url)
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  test('users of the settings may what these say', async () => {
    const users = ['--user', 'default', 'off', '--user', 'shop', 'on', '>pw', '~shop:*', '+get', '+ping']
    const server = await own('redis', () => startRedis(users))
    expect(await said(connect(server.port, '127.0.0.1'), 'PING\r\n')).toMatch(/^-NOAUTH/)
    const asShop = connect(server.port, '127.0.0.1')
    expect(await said(asShop, 'AUTH shop pw\r\nGET other\r\n', 2)).toMatch(/^\+OK\r\n-NOPERM/)
  })

  test('speaks TLS with a certificate that a client can check', async () => {
    const server = await own('redis', () => startRedis(undefined, { tls: true }))
    const { tls } = server
    if (tls === undefined) throw new Error('no TLS')
    const ca = readFileSync(tls.ca)
    expect(await said(connectTls({ port: tls.port, host: '127.0.0.1', ca }), 'PING\r\n')).toBe('+PONG\r\n')
    const trusting = connectTls({ port: tls.port, host: '127.0.0.1' })
    await expect(said(trusting, 'PING\r\n')).rejects.toThrow('self-signed')
  })

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'exit'])(
    'no server outlives who started it: %s',
    async (end) => {
      const code = `
      import { startRedis } from ${JSON.stringify(join(import.meta.dirname, '../scripts/servers/redis.ts'))}
      const server = await startRedis()
      await server.pause()
      process.send([server.pid, server.folder])
      process.on('message', () => process.exit())`
      const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 1, 2, 'ipc'],
      })
      const [[pid, folder]] = await once(parent, 'message')
      expect(isAlive(pid)).toBe(true)
      if (end === 'exit') parent.send('exit')
      else parent.kill(end as NodeJS.Signals)
      await once(parent, 'exit')
      await expect.poll(() => isAlive(pid) || existsSync(folder), { timeout: 20_000 }).toBe(false)
    },
  )

  test('a cluster serves all slots, and a slot moves with its keys while it is in use', async () => {
    const cluster = await own('redis', startCluster)
    expect(cluster.nodes).toHaveLength(3)
    const slot = await cluster.slotOf('order')
    const from = await cluster.owner(slot)
    const to = cluster.nodes.find((node) => node !== from)
    if (to === undefined) throw new Error('one node only')
    await from.ask('set', 'order', '42')
    const close = await cluster.openSlot(slot, from, to)
    expect(await from.ask('get', 'order')).toBe('42')
    await expect(from.ask('get', '{order}:other')).rejects.toThrow(`ASK ${slot} 127.0.0.1:${to.port}`)
    await close()
    expect(await cluster.owner(slot)).toBe(to)
    expect(await to.ask('get', 'order')).toBe('42')
    await expect(from.ask('get', 'order')).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to.port}`)
    await cluster.settled()
  })

  test('a replica takes over when the master of a cluster is killed, which then follows it', async () => {
    const cluster = await own('redis', () => startCluster({ replicas: true }))
    const slot = await cluster.slotOf('order')
    const old = await cluster.owner(slot)
    await old.ask('set', 'order', '42')
    // Not by WAIT: it answers for what its own connection wrote.
    const sizes = () => Promise.all(cluster.nodes.map((node) => node.ask('dbsize')))
    await expect.poll(async () => (await sizes()).filter((size) => size === '1')).toHaveLength(2)
    const now = await cluster.failOver(slot)
    expect(now).not.toBe(old)
    expect(await now.ask('get', 'order')).toBe('42')
    await old.restart()
    await cluster.settled()
    await expect.poll(() => old.ask('role'), { timeout: 20_000 }).toMatch(/^slave/)
  }, 60_000)

  test('the sentinels name a new master when theirs is killed, and it takes writes', async () => {
    const sentinel = await own('redis', startSentinel)
    expect(sentinel.sentinels).toHaveLength(3)
    expect(await sentinel.master()).toBe(sentinel.servers[0])
    const old = await sentinel.killMaster()
    const now = await sentinel.failedOver(old)
    expect(now).not.toBe(old)
    expect(await now.ask('set', 'order', '42')).toBe('OK')
  }, 60_000)

  describe('the network between', () => {
    const port = redis.port

    test('cuts every connection', async () => {
      await using link = await Link.to(port)
      const sockets = [connect(link.port, '127.0.0.1'), connect(link.port, '127.0.0.1')]
      for (const socket of sockets) expect(await said(socket, 'PING\r\n', 1, true)).toBe('+PONG\r\n')
      expect(link.connections).toBe(2)
      const closed = sockets.map((socket) => once(socket, 'close'))
      link.cut()
      await Promise.all(closed)
      expect(await said(connect(link.port, '127.0.0.1'), 'PING\r\n')).toBe('+PONG\r\n')
    })

    test('loses a reply whose command was carried out', async () => {
      await using link = await Link.to(port)
      link.cutAfter(0, 'down')
      expect(await said(connect(link.port, '127.0.0.1'), 'SET lost 1\r\n')).toBe('')
      expect(await redis.ask('get', 'lost')).toBe('1')
      expect(await said(connect(link.port, '127.0.0.1'), 'PING\r\n')).toBe('+PONG\r\n')
    })

    test('loses a command, but for its first bytes', async () => {
      await using link = await Link.to(port)
      link.cutAfter('SET half 1\r'.length, 'up')
      expect(await said(connect(link.port, '127.0.0.1'), 'SET half 1\r\n')).toBe('')
      expect(await redis.ask('exists', 'half')).toBe('0')
    })

    test('lets exactly so many bytes of replies through', async () => {
      await using link = await Link.to(port)
      link.cutAfter(10, 'down')
      expect(await said(connect(link.port, '127.0.0.1'), 'PING\r\nPING\r\n', 2)).toBe('+PONG\r\n+PO')
    })

    test('swallows all, also of new connections, until it heals', async () => {
      await using link = await Link.to(port)
      const heal = link.partition()
      const socket = connect(link.port, '127.0.0.1')
      const answer = said(socket, 'INCR healed\r\n')
      await expect.poll(() => link.connections).toBe(1)
      await redis.ask('ping')
      expect(await redis.ask('exists', 'healed')).toBe('0')
      heal()
      expect(await answer).toBe(':1\r\n')
    })
  })
}

/** The reply of so many lines, or what had come of it when the connection closed. */
function said(socket: Socket, words: string, lines = 1, keep = false): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (data) => {
      text += data.toString()
      if (text.split('\r\n').length <= lines) return
      resolve(text)
      if (!keep) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.write(words)
  })
}

/** Asked through the system, which takes long enough for a server that runs to answer. */
async function stillPaused(pid: number): Promise<string> {
  for (let times = 0; times < 20; times++) {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8')
    if (!state.includes(' T ')) return `not paused: ${state}`
    await new Promise((resolve) => setImmediate(resolve))
  }
  return 'paused'
}

/** One that has ended and whom nobody has asked about yet is not alive. */
function isAlive(pid: number): boolean {
  const state = `/proc/${pid}/stat`
  return existsSync(state) && !/\) [ZX] /.test(readFileSync(state, 'utf8'))
}
