/** Control, format and surrogate characters: what a terminal obeys or hides. Joiners stay, emoji are made with them. */
const UNSAFE = /(?!\u200c|\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const PLAIN = /^[\x20-\x7e]*$/
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text on one line, with nothing in it that a terminal would obey: `\x1b` and the like are written out. */
export function safe(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(UNSAFE, (character) => SHORT[character] ?? escaped(character.codePointAt(0) ?? 0))
}

function escaped(code: number): string {
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
}

/** JSON text whose every character is safe to show; it parses to the same value. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value ?? null).replace(UNSAFE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u

/** How many columns of a terminal a safe text takes. */
export function width(text: string): number {
  if (PLAIN.test(text)) return text.length
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += columnsOf(segment)
  return columns
}

function columnsOf(grapheme: string): number {
  if (/^\p{M}+$/u.test(grapheme)) return 0
  return WIDE.test(grapheme) ? 2 : 1
}

/** The text cut to so many columns, with … at the cut. */
export function clip(text: string, most: number): string {
  if (width(text) <= most) return text
  let kept = ''
  let columns = 0
  for (const { segment } of graphemes.segment(text)) {
    columns += columnsOf(segment)
    if (columns > most - 1) break
    kept += segment
  }
  return `${kept}…`
}
