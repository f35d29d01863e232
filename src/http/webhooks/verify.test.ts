import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { generateKeyPair, generateSecret, signatures, signedText, signingKeysOf } from './sign.ts'
import { verify } from './verify.ts'

const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const body = '{"test": 2432232314}'
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const seconds = (): string => String(Math.floor(Date.now() / 1000))

function signed(secrets: readonly string[], text = body, timestamp = seconds()): Record<string, string> {
  const content = signedText(id, timestamp, Buffer.from(text))
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures(signingKeysOf(secrets, 'secrets'), content),
  }
}

const refusal = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('beside the reference library', () => {
  const whsec = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => {
    return `whsec_${Buffer.from(bytes).toString('base64')}`
  })
  const json = fc.json()

  test('what we sign it verifies, and what it signs we verify', () => {
    fc.assert(
      fc.property(whsec, json, (key, text) => {
        expect(new Webhook(key).verify(text, signed([key], text))).toEqual(JSON.parse(text))
        const now = new Date()
        const headers = {
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
          'webhook-signature': new Webhook(key).sign(id, now, text),
        }
        if (!text.includes('__proto__')) expect(verify(headers, text, key)).toEqual(JSON.parse(text))
        expect(signed([key], text, headers['webhook-timestamp'])).toEqual(headers)
      }),
    )
  })

  test('what was changed on its way both refuse', () => {
    const good = signed([secret])
    const changed: [Record<string, string>, string][] = [
      [good, `${body} `],
      [{ ...good, 'webhook-id': `${id}x` }, body],
      [{ ...good, 'webhook-timestamp': String(Number(good['webhook-timestamp']) + 1) }, body],
      [{ ...good, 'webhook-signature': 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=' }, body],
      [{ ...good, 'webhook-signature': `${good['webhook-signature']}`.replace('v1,', 'v2,') }, body],
      [{ ...good, 'webhook-signature': `${good['webhook-signature']}`.replace('v1,', '') }, body],
      [{ ...good, 'webhook-signature': 'v1,' }, body],
      [{ ...good, 'webhook-id': '' }, body],
      [{ ...good, 'webhook-timestamp': 'now' }, body],
    ]
    for (const [headers, text] of changed) {
      expect(() => new Webhook(secret).verify(text, headers)).toThrow()
      expect(refusal(() => verify(headers, text, secret))).toBe('WEBHOOK_INVALID')
    }
    expect(new Webhook(secret).verify(body, good)).toEqual(verify(good, body, secret))
  })

  test('while secrets change, a receiver with either of them verifies', () => {
    const [newest, old] = [generateSecret(), generateSecret()]
    const headers = signed([newest, old])
    for (const key of [newest, old]) {
      expect(new Webhook(key).verify(body, headers)).toEqual({ test: 2432232314 })
      expect(verify(headers, body, key)).toEqual({ test: 2432232314 })
    }
    expect(refusal(() => verify(headers, body, generateSecret()))).toBe('WEBHOOK_INVALID')
    expect(verify(signed([old]), body, [newest, old])).toEqual({ test: 2432232314 })
  })
})

describe('ed25519', () => {
  test('a signature is the one that the reference implementation in Go makes', () => {
    const key = 'whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk='
    expect(signed([key], body, '1614265330')['webhook-signature']).toBe(
      'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==',
    )
  })

  test('the public key verifies what the secret signed, and only that', () => {
    const pair = generateKeyPair()
    const headers = signed([pair.secret])
    expect(verify(headers, body, pair.publicKey)).toEqual({ test: 2432232314 })
    expect(verify(headers, body, pair.secret)).toEqual({ test: 2432232314 })
    expect(refusal(() => verify(headers, `${body} `, pair.publicKey))).toBe('WEBHOOK_INVALID')
    expect(refusal(() => verify(headers, body, generateKeyPair().publicKey))).toBe('WEBHOOK_INVALID')
  })

  test('both kinds of signature stand in one header, and either key verifies', () => {
    const pair = generateKeyPair()
    const headers = signed([pair.secret, secret])
    expect(headers['webhook-signature']).toMatch(/^v1a,[\w+/=]+ v1,[\w+/=]+$/)
    expect(verify(headers, body, secret)).toEqual(verify(headers, body, pair.publicKey))
    expect(new Webhook(secret).verify(body, headers)).toEqual({ test: 2432232314 })
  })

  test('a public key is no HMAC secret: who knows it signs nothing', () => {
    const pair = generateKeyPair()
    const forged = signed([`whsec_${pair.publicKey.slice(5)}`])
    expect(refusal(() => verify(forged, body, pair.publicKey))).toBe('WEBHOOK_INVALID')
  })
})

describe('verify()', () => {
  const good = signed([secret])
  const signature = `${good['webhook-signature']}`

  test('reads the headers of the web, of Node and of any record', () => {
    const upper = Object.fromEntries(Object.entries(good).map(([name, value]) => [name.toUpperCase(), value]))
    const lists = Object.fromEntries(Object.entries(good).map(([name, value]) => [name, [value]]))
    for (const headers of [good, new Headers(good), new Map(Object.entries(good)), upper, lists])
      expect(verify(headers as Record<string, string>, body, secret)).toEqual({ test: 2432232314 })
  })

  test.each([
    ['one that fits among others', `v1,AAAA v1a,AAAA v9,x ${signature}`],
    ['the same twice', `${signature} ${signature}`],
    ['a header that came twice, as Node joins it', `v1,AAAA, ${signature}`],
    ['a lot of space', `   ${signature}  `],
  ])('takes %s', (_, header) => {
    expect(verify({ ...good, 'webhook-signature': header }, body, secret)).toEqual({ test: 2432232314 })
  })

  test('takes a signature header that came twice as a list', () => {
    const twice = { ...good, 'webhook-signature': ['v1,AAAA', signature] }
    expect(verify(twice, body, secret)).toEqual({ test: 2432232314 })
  })

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('refuses without %s', (name) => {
    for (const value of [undefined, '', []])
      expect(() => verify({ ...good, [name]: value }, body, secret)).toThrow(`the header ${name} is missing`)
  })

  test.each(['webhook-id', 'webhook-timestamp'])('refuses with two of %s', (name) => {
    const twice = { ...good, [name.toUpperCase()]: good[name] }
    expect(() => verify(twice, body, secret)).toThrow('is there 2 times')
  })

  test('tries only so many signatures', () => {
    const header = `${'v1,AAAA '.repeat(20)}${signature}`
    expect(refusal(() => verify({ ...good, 'webhook-signature': header }, body, secret))).toBe(
      'WEBHOOK_INVALID',
    )
  })

  test('refuses what is older or newer than the tolerance', () => {
    const sent = Number(good['webhook-timestamp'])
    const at = (offset: number, options = {}): unknown =>
      refusal(() => verify(good, body, secret, { now: (sent + offset) * 1000, ...options }))
    expect([at(0), at(300), at(-300)]).toEqual(Array(3).fill({ test: 2432232314 }))
    expect([at(301), at(-301), at(Number.NaN)]).toEqual(Array(3).fill('WEBHOOK_INVALID'))
    expect(at(3600, { toleranceSeconds: 3600 })).toEqual({ test: 2432232314 })
    expect(at(11, { toleranceSeconds: 10 })).toBe('WEBHOOK_INVALID')
  })

  test.each(['', '-1', '1e9', '0x10', ' 1', '1.5', '99999999999999'])('refuses the time %j', (timestamp) => {
    const headers = { ...good, 'webhook-timestamp': timestamp }
    expect(refusal(() => verify(headers, body, secret))).toBe('WEBHOOK_INVALID')
  })

  test('takes the bytes as they came, also when they are no UTF-8, part of a larger buffer or empty', () => {
    const pool = Buffer.from(`xx${body}xx`)
    expect(verify(good, new Uint8Array(pool.buffer, pool.byteOffset + 2, body.length), secret)).toEqual({
      test: 2432232314,
    })
    expect(verify(signed([secret], ''), '', secret)).toBeUndefined()
    const bytes = Buffer.from([0x22, 0xff, 0x22])
    const timestamp = seconds()
    const content = signedText(id, timestamp, bytes)
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures(signingKeysOf([secret], 'secrets'), content),
    }
    expect(verify(headers, bytes, secret)).toBe('\ufffd')
  })

  test('says so when the body was parsed before', () => {
    expect(() => verify(good, JSON.parse(body), secret)).toThrow('needs the raw body')
  })

  test('refuses a genuine body that is no JSON, or would pollute a prototype', () => {
    for (const text of ['{', '{"__proto__":{"x":1}}'])
      expect(refusal(() => verify(signed([secret], text), text, secret))).toBe('WEBHOOK_INVALID')
  })
})

describe('secrets', () => {
  test('are made in the forms of the standard, each another', () => {
    expect(generateSecret()).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(generateKeyPair()).toEqual({
      secret: expect.stringMatching(/^whsk_[A-Za-z0-9+/]{43}=$/),
      publicKey: expect.stringMatching(/^whpk_[A-Za-z0-9+/]{43}=$/),
    })
    expect(new Set(Array.from({ length: 50 }, generateSecret)).size).toBe(50)
  })

  const long = (bytes: number): string => Buffer.alloc(bytes, 7).toString('base64')
  test.each([
    ['none at all', []],
    ['no list', secret],
    ['no text', [undefined]],
    ['no prefix', [secret.slice(6)]],
    ['too short a secret', [`whsec_${long(23)}`]],
    ['too long a secret', [`whsec_${long(65)}`]],
    ['no base64', ['whsec_not base64 at all, not at all!']],
    ['url-safe base64', [`whsec_${'-_'.repeat(20)}`]],
    ['an ed25519 seed of another length', [`whsk_${long(31)}`]],
    ['a public key of another length', [`whpk_${long(64)}`]],
    ['a public key, which signs nothing', [generateKeyPair().publicKey]],
  ])('are refused with %s, and never shown', (_, texts) => {
    const run = (): unknown => signingKeysOf(texts as string[], 'secrets')
    expect(refusal(run)).toBe('OPTION_INVALID')
    for (const text of texts)
      if (typeof text === 'string' && text.length > 1) expect(run).not.toThrow(text.slice(6, 30))
  })

  test('a secret of ed25519 may have its public half behind it', () => {
    const { secret: short, publicKey } = generateKeyPair()
    const both = Buffer.concat([short, publicKey].map((text) => Buffer.from(text.slice(5), 'base64')))
    const headers = signed([`whsk_${both.toString('base64')}`])
    expect(verify(headers, body, publicKey)).toEqual({ test: 2432232314 })
  })
})
