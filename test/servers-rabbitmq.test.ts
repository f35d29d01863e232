import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChannelModel } from 'amqplib'
import { connect } from 'amqplib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startRabbitCluster } from '../scripts/servers/rabbit-cluster.ts'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { needs, own } from './servers.ts'

const START_MS = 180_000
const QUORUM = { durable: true, arguments: { 'x-queue-type': 'quorum' } }

const rabbit = await needs('rabbitmq', startRabbit)

if (rabbit !== undefined)
  describe('a RabbitMQ node of our own', { timeout: START_MS }, () => {
    test('answers on its port, and tells what it has by rabbitmqctl', async () => {
      expect(rabbit.isRunning).toBe(true)
      const client = await clientOf(rabbit.url)
      const channel = await client.createChannel()
      await channel.assertQueue('told', QUORUM)
      expect(await rabbit.ctl('list_queues', 'name', 'type', 'messages')).toBe('told\tquorum\t0')
      expect(await rabbit.ctl('eval', 'list_to_integer(os:getpid()).')).toBe(String(rabbit.pid))
      await expect(rabbit.ctl('delete_queue', 'untold')).rejects.toThrow('not found')
      const closed = once(client, 'close')
      await rabbit.ctl('close_all_connections', 'by the test')
      expect(await closed).toEqual([
        expect.objectContaining({ message: expect.stringContaining('by the test') }),
      ])
    })

    test('blocks publishers by an alarm, until it is over', async () => {
      const client = await clientOf(rabbit.url)
      const channel = await client.createChannel()
      const blocked = once(client, 'blocked')
      await rabbit.ctl('set_vm_memory_high_watermark', '0.000001')
      // RabbitMQ tells only those who publish.
      channel.sendToQueue('nobody', Buffer.from('x'))
      expect(await blocked).toEqual([expect.stringContaining('low on memory')])
      const unblocked = once(client, 'unblocked')
      await rabbit.ctl('set_vm_memory_high_watermark', '0.4')
      await unblocked
    })

    test('listens on loopback only, and on none of the ports of a RabbitMQ of the system', () => {
      const listens = listening(rabbit.pid)
      expect(listens.map(({ address }) => address)).toEqual(['0100007F', '0100007F'])
      expect(listens.map(({ port }) => port)).toContain(rabbit.port)
      for (const port of [4369, 5672, 25672]) expect(listens.map(({ port }) => port)).not.toContain(port)
    })

    test('has after a kill and a restart what it had taken', async () => {
      const server = await own('rabbitmq', startRabbit)
      const { pid, port, folder } = server
      const client = await clientOf(server.url)
      const channel = await client.createConfirmChannel()
      await channel.assertQueue('orders', QUORUM)
      channel.sendToQueue('orders', Buffer.from('42'))
      await channel.waitForConfirms()
      await server.registered('orders')
      await server.kill()
      expect(server.isRunning).toBe(false)
      await expect(connect(server.url)).rejects.toThrow('ECONNREFUSED')
      await server.restart()
      expect([server.port, server.folder]).toEqual([port, folder])
      expect(server.pid).not.toBe(pid)
      expect(await taken(server.url, 'orders')).toBe('42')
    })

    test('is silent while it is paused, can be stopped so, and leaves nothing', async () => {
      const server = await own('rabbitmq', startRabbit)
      const epmd = epmdOf(server.pid)
      await server.pause()
      const socket = connectTcp(server.port, '127.0.0.1')
      socket.write('AMQP\0\0\x09\x01')
      const answer = once(socket, 'data').then(() => 'answered')
      expect(await Promise.race([answer, stillPaused(server.pid)])).toBe('paused')
      server.continue()
      expect(await answer).toBe('answered')
      socket.destroy()
      await server.pause()
      await server.stop()
      expect(isAlive(server.pid)).toBe(false)
      expect(existsSync(server.folder)).toBe(false)
      await expect(reached(epmd)).rejects.toThrow('ECONNREFUSED')
      await expect.poll(() => livingWith(server.folder)).toEqual([])
    })

    test('has the settings of both files and a TLS port, and nothing else after a stop and a restart', async () => {
      const options = {
        config: ['heartbeat = 7'],
        advanced: '[{rabbit, [{channel_tick_interval, 1234}]}].',
        tls: true,
      }
      const server = await own('rabbitmq', () => startRabbit(options))
      const { port, tls } = server
      if (tls === undefined) throw new Error('no TLS')
      const names = '[element(2, application:get_env(rabbit, N)) || N <- [heartbeat, channel_tick_interval]].'
      expect(await server.ctl('eval', names)).toBe('[7,1234]')
      const client = await clientOf(tls.url, readFileSync(tls.ca))
      await (await client.createChannel()).assertQueue('orders', QUORUM)
      await client.close()
      await expect(connect(tls.url)).rejects.toThrow('self-signed')
      await server.stop()
      await server.restart()
      expect(server.port).toBe(port)
      expect(await server.ctl('list_queues', 'name')).toBe('')
      await clientOf(tls.url, readFileSync(tls.ca))
    })

    test('a setting that it does not know is told, and leaves nothing', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'offload-test-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      vi.stubEnv('TMPDIR', folder)
      onTestFinished(() => void vi.unstubAllEnvs())
      await expect(startRabbit({ config: ['colour = red'] })).rejects.toThrow(/ended at once: .*colour/s)
      expect(readdirSync(folder)).toEqual([])
    })

    test.each(['SIGKILL', 'exit'])('no node and no epmd outlives who started it: %s', async (end) => {
      const module = join(import.meta.dirname, '../scripts/servers/rabbitmq.ts')
      const code = `
      import { startRabbit } from ${JSON.stringify(module)}
      const server = await startRabbit()
      await server.pause()
      process.send([server.pid, server.folder])
      process.on('message', () => process.exit())`
      const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 1, 2, 'ipc'],
      })
      const [[pid, folder]] = await once(parent, 'message')
      const epmd = epmdOf(pid)
      expect(isAlive(pid)).toBe(true)
      await reached(epmd)
      if (end === 'exit') parent.send('exit')
      else parent.kill('SIGKILL')
      await once(parent, 'exit')
      await expect.poll(() => livingWith(folder), { timeout: 20_000 }).toEqual([])
      await expect.poll(() => existsSync(folder), { timeout: 20_000 }).toBe(false)
      await expect(reached(epmd)).rejects.toThrow('ECONNREFUSED')
    })

    test('a cluster of three serves a quorum queue without the node that led it, which comes back', async () => {
      const cluster = await own('rabbitmq', startRabbitCluster)
      const [first] = cluster.nodes
      if (first === undefined) throw new Error('no node')
      const channel = await (await clientOf(first.url)).createConfirmChannel()
      await channel.assertQueue('orders', QUORUM)
      channel.sendToQueue('orders', Buffer.from('42'))
      await channel.waitForConfirms()
      await Promise.all(cluster.nodes.map((node) => node.registered('orders')))
      const old = await cluster.leader('orders')
      await old.kill()
      await cluster.settled()
      await expect.poll(() => cluster.leader('orders').catch(() => old), { timeout: 30_000 }).not.toBe(old)
      const now = await cluster.leader('orders')
      expect(await taken(now.url, 'orders')).toBe('42')
      await old.restart()
      await cluster.settled()
      expect(await taken(old.url, 'orders')).toBe('42')
    })
  })

async function clientOf(url: string, ca?: Buffer): Promise<ChannelModel> {
  const client = await connect(url, ca === undefined ? {} : { ca: [ca] })
  client.on('error', () => {})
  onTestFinished(() => client.close().catch(() => {}))
  return client
}

/** The message that a queue gives, which goes back to it as its client goes. */
async function taken(url: string, queue: string): Promise<string> {
  const client = await clientOf(url)
  const channel = await client.createChannel()
  const message = await new Promise<string>((resolve) => {
    void channel.consume(queue, (message) => resolve(String(message?.content)))
  })
  await client.close()
  return message
}

/** The port of the epmd that a node was started with. */
const epmdOf = (pid: number): number => Number(/ERL_EPMD_PORT=(\d+)/.exec(environment(pid))?.[1])

async function reached(port: number): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
}

/** Those whose home is the folder: a node, its helpers, and its rabbitmqctl. */
const livingWith = (folder: string): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isAlive(pid) && environment(pid).includes(`HOME=${folder}\0`))

/** What a process listens on; addresses as Linux writes them, in hexadecimal. */
function listening(pid: number): readonly { address: string; port: number }[] {
  const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'))
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && sockets.includes(`socket:[${inode}]`))
    .map(([, local = '']) => local.split(':'))
    .map(([address = '', port = '']) => ({ address, port: Number.parseInt(port, 16) }))
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function environment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

/** Asked through the system, which takes long enough for a node that runs to answer. */
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
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
