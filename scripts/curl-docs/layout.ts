const WIDTH = 110

/** Headers that every server sends, or that tell only of the connection. */
const UNTOLD = /^(?:connection|content-length|date|keep-alive|transfer-encoding|x-powered-by): .*\n/gim

/** An answer as the page shows it: without those headers, and with its JSON in lines that can be read. */
export function laidOut(output: string, lines: number): string {
  const text = output.replaceAll('\r', '')
  const end = text.startsWith('HTTP/') ? text.indexOf('\n\n') + 2 : 0
  const shown = `${text.slice(0, end).replace(UNTOLD, '')}${bodyOf(text.slice(end))}`.trimEnd().split('\n')
  if (shown.length > lines) shown.splice(lines, shown.length, '…')
  return shown.join('') === '' ? '' : `${shown.join('\n')}\n`
}

function bodyOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? laidOutJson(value) : text
  } catch {
    return text
  }
}

/** JSON in as few lines as fit into the width; what is an object of more than one line begins a line. */
export function laidOutJson(value: unknown, indent = '', before = 0): string {
  const line = inOneLine(value)
  if (typeof value !== 'object' || value === null) return line
  if (indent.length + before + line.length < WIDTH) return line
  const inner = `${indent}  `
  const parts = Array.isArray(value)
    ? value.map((member) => laidOutJson(member, inner))
    : Object.entries(value).map(([key, member]) => {
        const name = `${JSON.stringify(key)}: `
        return name + laidOutJson(member, inner, name.length)
      })
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${inner}${filled(parts, inner)}\n${indent}${close}`
}

/** Short members share a line. */
function filled(parts: readonly string[], indent: string): string {
  let text = ''
  let column = 0
  for (const part of parts) {
    const isLong = part.includes('\n') || part.length + column + indent.length + 2 > WIDTH
    if (text !== '') text += isLong ? `,\n${indent}` : ', '
    column = part.includes('\n') ? WIDTH : (isLong ? 0 : column + 2) + part.length
    text += part
  }
  return text
}

function inOneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(inOneLine).join(', ')}]`
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${inOneLine(member)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}
