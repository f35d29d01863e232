import { createHash } from 'node:crypto'
import { applyScript } from './apply.ts'
import { claimScript } from './claim.ts'
import { accepting, common, forgetting, ranking } from './common.ts'
import { documentsScript } from './documents.ts'
import { outboxScript, pauseScript } from './outbox.ts'
import { depthScript, dueScript, eventsScript, pageScript } from './reading.ts'
import { renewScript } from './renew.ts'
import { tidyScript } from './tidy.ts'

/** One atomic step of the store. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly sha: string
}

function script(name: string, ...parts: readonly string[]): Script {
  const text = `-- offload ${name}\n${parts.join('')}`
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

export const scripts: Readonly<
  Record<
    | 'accept'
    | 'claim'
    | 'apply'
    | 'renew'
    | 'due'
    | 'page'
    | 'depth'
    | 'events'
    | 'tidy'
    | 'outbox'
    | 'pause'
    | 'documents',
    Script
  >
> = {
  accept: script(
    'accept',
    common,
    accepting,
    `
local out = {}
accept(args.groups, 2, out)
finish()
return out
`,
  ),
  claim: script('claim', common, ranking, claimScript),
  apply: script('apply', common, accepting, forgetting, applyScript),
  renew: script('renew', common, renewScript),
  due: script('due', common, dueScript),
  page: script('page', common, pageScript),
  depth: script('depth', common, ranking, depthScript),
  events: script('events', common, eventsScript),
  tidy: script('tidy', common, forgetting, tidyScript),
  outbox: script('outbox', common, outboxScript),
  pause: script('pause', common, pauseScript),
  documents: script('documents', common, accepting, documentsScript),
}
