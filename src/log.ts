/** What Offload logs through: any pino-compatible logger fits. Payloads are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const silent = (): void => {}

function line(level: string) {
  return (fields: object, message: string): void => {
    process.stderr.write(
      `${JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg: message })}\n`,
    )
  }
}

/** Warnings and errors go to stderr, one JSON line each; the rest is dropped. */
export const defaultLogger: Logger = { debug: silent, info: silent, warn: line('warn'), error: line('error') }

export const silentLogger: Logger = { debug: silent, info: silent, warn: silent, error: silent }
