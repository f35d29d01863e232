import { run } from './run.ts'
import { Terminal } from './terminal.ts'

const terminal = new Terminal(process)

// Node 22 calls its SQLite experimental at every start; whoever reads errors as JSON must not have to skip that.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') terminal.note(`${warning.name}: ${warning.message}`)
})

const code = await run(process.argv.slice(2), terminal)
await terminal.flush()
// What a module of tasks left open must not keep a finished command alive.
process.exit(code)
