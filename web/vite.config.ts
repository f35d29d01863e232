import type { InlineConfig } from 'vite'

/** Below any path, from its own files alone, and without a line of script in the page itself. */
const config: InlineConfig = {
  base: './',
  root: import.meta.dirname,
  configFile: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    write: false,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
}

export default config
