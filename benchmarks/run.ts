import { existsSync } from 'node:fs'
import { join } from 'node:path'

// `npm run bench -- [which] [what of it …]`: `which` is a folder beside this file, sqlite unless told otherwise.
const named = process.argv[2] ?? ''
const isFolder = /^[a-z-]+$/.test(named) && existsSync(join(import.meta.dirname, named, 'main.ts'))
await import(`./${isFolder ? named : 'sqlite'}/main.ts`)
process.exit()
