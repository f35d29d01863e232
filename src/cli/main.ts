#!/usr/bin/env node
import { nodeFinding } from './doctor/host.ts'

// Nothing else is imported before this: an older Node cannot even load it.
const { state, found, todo } = nodeFinding(process.version)
if (state === 'ok') await import('./start.ts')
else {
  process.stderr.write(`offload does not run on Node ${found}: ${todo}\n`)
  process.exitCode = 1
}
