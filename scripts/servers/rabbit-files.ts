import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Place } from './place.ts'
import type { TlsFiles } from './tls.ts'

export interface RabbitFiles {
  /** The path of rabbitmq-server. */
  readonly program: string
  readonly place: Place
  readonly cookie: string
  readonly config: readonly string[]
  readonly advanced: string
  readonly secure: (TlsFiles & { readonly port: number }) | undefined
}

export const nodeName = ({ port }: Place): string => `offload-${port}@localhost`

/** Writes what a node reads when it starts, into its folder. */
export function writeRabbitFiles({ program, place, cookie, config, advanced, secure }: RabbitFiles): void {
  const { port, folder } = place
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const listeners = [`listeners.tcp.1 = 127.0.0.1:${port}`, ...(secure ? tlsLines(secure) : [])]
  write('rabbitmq.conf', [...listeners, ...config, ''].join('\n'))
  write('advanced.config', advanced)
  write('enabled_plugins', '[].')
  // Names are looked up in no other place, which would take two processes more.
  write('inetrc', '{lookup, [file]}.\n{host, {127,0,0,1}, ["localhost"]}.\n')
  if (existsSync(join(folder, 'plugins'))) return
  // Erlang accepts a cookie only from a file that nobody else can read.
  writeFileSync(join(folder, '.erlang.cookie'), cookie, { mode: 0o400 })
  linkLoaded(program, join(folder, 'plugins'))
}

const tlsLines = ({ cert, key, port }: TlsFiles & { port: number }): readonly string[] => [
  `listeners.ssl.1 = 127.0.0.1:${port}`,
  `ssl_options.cacertfile = ${cert}`,
  `ssl_options.certfile = ${cert}`,
  `ssl_options.keyfile = ${key}`,
  'ssl_options.verify = verify_none',
  'ssl_options.fail_if_no_peer_cert = false',
]

/** Most of the modules that a node loads when it starts. */
const LOADED = /^(rabbit|rabbit_common|ra|ssl|inets|compiler|xmerl|mnesia|tools|public_key|syntax_tools)-\d/
const ERLANG = '/usr/lib/erlang/lib'

/**
 * A folder of plugins with no plugin, but what RabbitMQ loads anyhow, which is looked for here first. With the package's
 * own folder a start takes twice as long: every module would be looked for in each of 70 plugins before it is found.
 */
function linkLoaded(program: string, plugins: string): void {
  const packages = join(dirname(program), '../lib')
  const [version] = readdirSync(packages)
  mkdirSync(plugins)
  for (const folder of [join(packages, version ?? '', 'plugins'), ERLANG])
    for (const name of readdirSync(folder).filter((name) => LOADED.test(name)))
      symlinkSync(join(folder, name), join(plugins, name))
}
