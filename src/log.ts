import { hostname } from 'node:os'
import { hideSecrets } from './secrets.ts'

/** What Offload logs through: any pino-compatible logger fits. Payloads are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** Whether lines of a level are written at all: others are then not even made. pino has it. @default all are */
  isLevelEnabled?(level: LogLevel): boolean
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const silent = (): void => {}

/** The numbers and the names are those of pino: what reads its lines reads these. */
const numbers = { warn: 40, error: 50 } as const

function line(level: keyof typeof numbers) {
  return (fields: object, message: string): void => {
    const head = { level: numbers[level], time: Date.now(), pid: process.pid, hostname: hostname() }
    process.stderr.write(`${JSON.stringify({ ...head, ...fields, msg: message })}\n`)
  }
}

/** Warnings and errors go to stderr as lines of pino's; the rest is dropped. */
export const defaultLogger: Logger = {
  debug: silent,
  info: silent,
  warn: line('warn'),
  error: line('error'),
  isLevelEnabled: (level) => level in numbers,
}

export const silentLogger: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
}

/** The same logger without the secrets of URLs: what a client library says of a failure may hold the whole URL. */
export function secretless(logger: Logger): Logger {
  const line =
    (level: LogLevel) =>
    (fields: object, message: string): void => {
      if (logger.isLevelEnabled?.(level) === false) return
      const safe = Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? hideSecrets(value) : value,
      ])
      logger[level](Object.fromEntries(safe), hideSecrets(message))
    }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    isLevelEnabled: (level) => logger.isLevelEnabled?.(level) !== false,
  }
}
