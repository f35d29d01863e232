import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { findOpenssl } from './programs.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

export const tlsFiles = (folder: string): TlsFiles => ({
  cert: join(folder, 'tls.crt'),
  key: join(folder, 'tls.key'),
})

/** A certificate for localhost that is its own authority. */
export function makeTlsFiles(folder: string): void {
  const openssl = findOpenssl()
  if (openssl === undefined)
    throw new Error('TLS needs openssl: install it (Debian: apt-get install openssl)')
  const { cert, key } = tlsFiles(folder)
  const what = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const whose = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = spawnSync(openssl, ['req', ...what, ...whose, '-keyout', key, '-out', cert], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
}

export function tlsSettings({ cert, key }: TlsFiles, port: number): readonly string[] {
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
  return ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no']
}

/** What redis-cli needs to trust the certificate. */
export const tlsArguments = ({ cert }: TlsFiles): readonly string[] => ['--tls', '--cacert', cert]
