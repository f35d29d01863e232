import type { KeyObject } from 'node:crypto'
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign as signEd25519,
} from 'node:crypto'
import { OffloadError } from '../../job/errors.ts'

/** What a receiver is signed for with, or checks with. */
export type Key =
  | { readonly version: 'v1'; readonly secret: Buffer }
  | { readonly version: 'v1a'; readonly secret: KeyObject | undefined; readonly open: KeyObject }

const SHORTEST_SECRET = 24
const LONGEST_SECRET = 64
const SEED_BYTES = 32
/** What DER writes before the 32 bytes of an ed25519 key (RFC 8410). */
const SECRET_DER = Buffer.from('302e020100300506032b657004220420', 'hex')
const OPEN_DER = Buffer.from('302a300506032b6570032100', 'hex')

/** A new secret for HMAC signatures, `whsec_…`: both sides keep it. */
export function generateSecret(): string {
  return `whsec_${randomBytes(SEED_BYTES).toString('base64')}`
}

/** A new ed25519 pair: the sender keeps `secret` (`whsk_…`), receivers get `publicKey` (`whpk_…`). */
export function generateKeyPair(): { readonly secret: string; readonly publicKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(SECRET_DER.length)
  return { secret: `whsk_${seed.toString('base64')}`, publicKey: publicKeyOf(privateKey) }
}

/** Reads keys in the forms of Standard Webhooks. No message shows a key. @throws OPTION_INVALID */
export function keysOf(texts: readonly string[], option: string): readonly Key[] {
  if (!Array.isArray(texts) || texts.length === 0)
    throw new OffloadError(
      'OPTION_INVALID',
      `${option} needs at least one secret, e.g. from generateSecret(); the newest comes first`,
    )
  return texts.map((text, index) => keyOf(text, `${option}[${index}]`))
}

/** @throws OPTION_INVALID where the key cannot sign */
export function signingKeysOf(texts: readonly string[], option: string): readonly Key[] {
  return keysOf(texts, option).map((key, index) => {
    if (key.version === 'v1' || key.secret !== undefined) return key
    throw new OffloadError(
      'OPTION_INVALID',
      `${option}[${index}] is a public key (whpk_): sign with its secret (whsk_)`,
    )
  })
}

function keyOf(text: unknown, option: string): Key {
  const [, prefix, base64 = ''] = /^(whsec_|whsk_|whpk_)(.*)$/s.exec(String(text)) ?? []
  const bytes = bytesOf(base64)
  switch (prefix) {
    case 'whsec_':
      if (bytes.length < SHORTEST_SECRET || bytes.length > LONGEST_SECRET)
        throw unusable(option, `base64 of ${SHORTEST_SECRET} to ${LONGEST_SECRET} bytes after whsec_`)
      return { version: 'v1', secret: bytes }
    case 'whsk_': {
      if (bytes.length !== SEED_BYTES && bytes.length !== 2 * SEED_BYTES)
        throw unusable(option, `base64 of ${SEED_BYTES} bytes after whsk_`)
      const der = Buffer.concat([SECRET_DER, bytes.subarray(0, SEED_BYTES)]) // some write the public half behind it
      const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
      return { version: 'v1a', secret, open: createPublicKey(secret) }
    }
    case 'whpk_': {
      if (bytes.length !== SEED_BYTES) throw unusable(option, `base64 of ${SEED_BYTES} bytes after whpk_`)
      const der = Buffer.concat([OPEN_DER, bytes])
      return {
        version: 'v1a',
        secret: undefined,
        open: createPublicKey({ key: der, format: 'der', type: 'spki' }),
      }
    }
    default:
      throw unusable(option, 'whsec_, whsk_ or whpk_ with base64 after it')
  }
}

/** Nothing where the text is no base64: Node would leave out what it cannot read. */
function bytesOf(base64: string): Buffer {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0)
}

function unusable(option: string, form: string): OffloadError {
  return new OffloadError('OPTION_INVALID', `${option} cannot be used: it must be ${form}`)
}

function publicKeyOf(secret: KeyObject): string {
  const der = createPublicKey(secret).export({ type: 'spki', format: 'der' })
  return `whpk_${der.subarray(OPEN_DER.length).toString('base64')}`
}

/** What is signed: the id, the time and the body, byte by byte as it is sent. */
export function signedText(id: string, timestamp: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body])
}

export function hmac(secret: Buffer, text: Buffer): Buffer {
  return createHmac('sha256', secret).update(text).digest()
}

/** The value of `webhook-signature`: a signature of every key, so that a receiver may know any of them. */
export function signatures(keys: readonly Key[], text: Buffer): string {
  return keys
    .flatMap((key) => {
      if (key.version === 'v1') return `v1,${hmac(key.secret, text).toString('base64')}`
      return key.secret === undefined ? [] : `v1a,${signEd25519(null, text, key.secret).toString('base64')}`
    })
    .join(' ')
}
