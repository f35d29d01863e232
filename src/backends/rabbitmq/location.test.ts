import { describe, expect, test } from 'vitest'
import { locate } from './location.ts'

const PASSWORD = 'sesame-open'

/** What is said of a url that cannot be used. */
function refused(rest: string): string {
  try {
    return `it is taken as ${JSON.stringify(locate(rest, false))}`
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
}

describe('the url of a RabbitMQ', () => {
  test('may be left to the defaults of the server and of Offload', () => {
    const defaults = {
      servers: [{ host: 'localhost', port: 5672 }],
      vhost: '/',
      username: 'guest',
      password: 'guest',
      tls: false,
      prefix: 'offload',
      declare: true,
      packed: 1,
      heartbeat: 10,
      ackTimeoutMs: 1_800_000,
    }
    expect(locate('', false)).toEqual(defaults)
    expect(locate('/', false)).toEqual(defaults)
    expect(locate('@localhost:5672/%2F?', false)).toEqual(defaults)
  })

  test('leads to the port of TLS where it is amqps:', () => {
    expect(locate('rabbit', true)).toMatchObject({ tls: true, servers: [{ host: 'rabbit', port: 5671 }] })
    expect(locate('rabbit:1', true)).toMatchObject({ servers: [{ host: 'rabbit', port: 1 }] })
  })

  test.each([
    ['rabbit-1.shop.internal', [{ host: 'rabbit-1.shop.internal', port: 5672 }]],
    ['my_rabbit:65535', [{ host: 'my_rabbit', port: 65_535 }]],
    ['127.0.0.1:1', [{ host: '127.0.0.1', port: 1 }]],
    ['[::1]', [{ host: '::1', port: 5672 }]],
    ['[2001:db8::7]:5673', [{ host: '2001:db8::7', port: 5673 }]],
    [
      'a,b:2, [::1]:3',
      [
        { host: 'a', port: 5672 },
        { host: 'b', port: 2 },
        { host: '::1', port: 3 },
      ],
    ],
  ])('names servers: %s', (hosts, servers) => {
    expect(locate(hosts, false).servers).toEqual(servers)
    expect(locate(`u:p@${hosts}/v?prefix=x`, false).servers).toEqual(servers)
  })

  test.each([
    'a:0',
    'a:65536',
    'a:123456',
    'a:',
    'a:b',
    'a:1:2',
    ':5672',
    'a,',
    ',a',
    'a,,b',
    '::1',
    '[::1',
    '[]',
    '[name]',
    '[::1]5672',
    'a b',
    'a#b',
    'a%20b',
  ])('is refused with the server %s', (hosts) => {
    expect(refused(hosts)).toMatch(/^OPTION_INVALID: the amqp: url names a server that cannot be read/)
  })

  test.each([
    ['user:secret', 'user', 'secret'],
    ['user', 'user', ''],
    ['user:', 'user', ''],
    ['user:a:b', 'user', 'a:b'],
    ['a%40b:%3A%2F%25%3F%23', 'a@b', ':/%?#'],
    ['user:p/w?x#y', 'user', 'p/w?x#y'],
    ['%E2%82%AC:%F0%9F%90%B0', '€', '🐰'],
    ['user:100%25', 'user', '100%'],
  ])('may carry who it is: %s', (credentials, username, password) => {
    expect(locate(`${credentials}@host/v`, false)).toMatchObject({
      username,
      password,
      vhost: 'v',
      servers: [{ host: 'host', port: 5672 }],
    })
  })

  test.each(['100%', '%zz', '%E2%82'])('is refused with a password that is not encoded: %s', (text) => {
    expect(refused(`user:${text}@host`)).toMatch(/^OPTION_INVALID: .*write % as %25, @ as %40/)
    expect(refused(`${text}:x@host`)).toMatch(/^OPTION_INVALID: .*write % as %25, @ as %40/)
    expect(refused(`host/${text}`)).toMatch(/^OPTION_INVALID: .*write % as %25, @ as %40/)
  })

  test('takes no part of a password with a bare @ for the host, and shows none', () => {
    const said = refused(`user:x@${PASSWORD}@host`)
    expect(said).toMatch(/^OPTION_INVALID: the amqp: url names a server that cannot be read/)
    expect(said).not.toContain(PASSWORD)
  })

  test.each([
    ['', '/'],
    ['/', '/'],
    ['/%2F', '/'],
    ['/%2f', '/'],
    ['/shop', 'shop'],
    ['/%2Fshop', '/shop'],
    ['/a%20b%3F', 'a b?'],
    ['/%C3%BC', 'ü'],
  ])('names a vhost: "%s"', (path, vhost) => {
    expect(locate(`host${path}`, false).vhost).toBe(vhost)
    expect(locate(`host${path}?declare=false`, false).vhost).toBe(vhost)
  })

  test.each([
    ['prefix=a', { prefix: 'a' }],
    ['prefix=shop.EU-1:x_', { prefix: 'shop.EU-1:x_' }],
    [`prefix=${'p'.repeat(60)}`, { prefix: 'p'.repeat(60) }],
    ['prefix=amqp', { prefix: 'amqp' }],
    ['declare', { declare: true }],
    ['declare=true', { declare: true }],
    ['declare=false', { declare: false }],
    ['packed', { packed: 1000 }],
    ['packed=true', { packed: 1000 }],
    ['packed=false', { packed: 1 }],
    ['packed=1', { packed: 1 }],
    ['packed=1000', { packed: 1000 }],
    ['heartbeat=1', { heartbeat: 1 }],
    ['heartbeat=60', { heartbeat: 60 }],
    ['ackTimeout=1000', { ackTimeoutMs: 1000 }],
    ['ackTimeout=90s', { ackTimeoutMs: 90_000 }],
    ['ackTimeout=12h', { ackTimeoutMs: 43_200_000 }],
    ['packed=7&prefix=b&declare=false', { packed: 7, prefix: 'b', declare: false }],
  ])('takes the option %s', (query, read) => {
    expect(locate(`host?${query}`, false)).toMatchObject(read)
    expect(locate(`host/v?${query}`, false)).toMatchObject({ ...read, vhost: 'v' })
  })

  test.each([
    ['prefix=', 'prefix'],
    ['prefix=.a', 'prefix'],
    ['prefix=a%20b', 'prefix'],
    ['prefix=a/b', 'prefix'],
    ['prefix=a%0A', 'prefix'],
    ['prefix=%C3%BC', 'prefix'],
    [`prefix=${'p'.repeat(61)}`, 'prefix'],
    ['prefix=amq', 'prefix'],
    ['prefix=amq.gen', 'prefix'],
    ['declare=0', 'declare=true or declare=false'],
    ['declare=TRUE', 'declare=true or declare=false'],
    ['packed=0', 'packs 1 to 1000'],
    ['packed=1001', 'packs 1 to 1000'],
    ['packed=-1', 'packed'],
    ['packed=1e2', 'packed'],
    ['packed=many', 'packed'],
    ['heartbeat=', 'heartbeat'],
    ['heartbeat=0', 'heartbeat'],
    ['heartbeat=1.5', 'heartbeat'],
    ['heartbeat=10s', 'heartbeat'],
    ['heartbeat=99999', 'heartbeat'],
    ['ackTimeout=', 'ackTimeout'],
    ['ackTimeout=999', 'ackTimeout'],
    ['ackTimeout=0s', 'ackTimeout'],
    ['ackTimeout=soon', 'ackTimeout'],
    ['ackTimeout=-1m', 'ackTimeout'],
    ['Prefix=a', 'no option "Prefix"; there are prefix, declare, packed, heartbeat, ackTimeout'],
    ['__proto__=a', 'no option "__proto__"'],
    ['vhost=a', 'no option "vhost"'],
  ])('is refused with the option %s, by name and without the url', (query, named) => {
    const said = refused(`user:${PASSWORD}@host/v?${query}`)
    expect(said).toMatch(/^OPTION_INVALID: /)
    expect(said).toContain(named)
    expect(said).not.toContain(PASSWORD)
  })

  test('with an end of line in it is not taken for another', () => {
    expect(refused('user:secret@host/v?prefix=a\n')).toMatch(/^OPTION_INVALID: .*prefix/)
    expect(refused('user:secret@ho\nst/v')).toMatch(/^OPTION_INVALID: /)
  })
})
