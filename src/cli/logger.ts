import type { Logger } from '../log.ts'
import { defaultLogger } from '../log.ts'
import { hideSecrets } from '../secrets.ts'
import type { Style, Terminal } from './terminal.ts'

const silent = (): void => {}

/** Warnings and errors on stderr: a line for people, JSON for machines. */
export function readableLogger(terminal: Terminal): Logger {
  if (terminal.json) return defaultLogger
  const line =
    (level: string, style: Style) =>
    (fields: object, message: string): void => {
      const details = Object.entries(fields).map(([name, value]) => `${name}=${shownField(value)}`)
      terminal.note([
        { text: level, style },
        ` ${hideSecrets(message)} `,
        { text: hideSecrets(details.join(' ')), style: 'dim' },
      ])
    }
  return { debug: silent, info: silent, warn: line('warning:', 'yellow'), error: line('error:', 'red') }
}

function shownField(value: unknown): string {
  return typeof value === 'string' && !/\s/.test(value) ? value : (JSON.stringify(value) ?? 'undefined')
}
