/** Texts that mean something to SQL, JavaScript, HTTP, a shell, a path or a terminal. */
export const hostileTexts: readonly string[] = [
  "'; drop table jobs; --",
  '__proto__',
  'constructor',
  'a\r\nSet-Cookie: x',
  '🎉'.repeat(40),
  '%s%n\\',
  '../../etc/passwd',
  '\u202e',
]
