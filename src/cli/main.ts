#!/usr/bin/env node
import { run } from './run.ts'
import { Terminal } from './terminal.ts'

const terminal = new Terminal(process)
const code = await run(process.argv.slice(2), terminal)
await terminal.flush()
// What a module of tasks left open must not keep a finished command alive.
process.exit(code)
