import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instrumentNames, instruments } from '../src/observe/metrics/instruments.ts'

export const page: string = join(import.meta.dirname, '../docs/guide/observability.md')

const TABLE = /(<!-- metrics: .* -->\n)[\s\S]*?(<!-- end of metrics -->)/

/** The page with the table of what is measured today. */
export function withTable(markdown: string): string {
  const rows = instrumentNames.map((name) => {
    const { kind, labels, help } = instruments[name]
    return `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`
  })
  const table = ['| metric | kind | labels | |', '|---|---|---|---|', ...rows].join('\n')
  return markdown.replace(TABLE, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`)
}

if (import.meta.main) writeFileSync(page, withTable(readFileSync(page, 'utf8')))
