import { createHash } from 'node:crypto'
import { acceptScript, kindsScript } from './accept.ts'
import { applyScript } from './apply.ts'
import { claimScript } from './claim.ts'
import { accepting, blocks, common, forgetting, kinds, ranking } from './common.ts'
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
    | 'kinds'
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
  accept: script('accept', common, accepting, acceptScript),
  kinds: script('kinds', common, kindsScript),
  claim: script('claim', common, kinds, blocks, ranking, claimScript),
  apply: script('apply', common, kinds, blocks, accepting, forgetting, applyScript),
  renew: script('renew', common, kinds, renewScript),
  due: script('due', common, kinds, dueScript),
  page: script('page', common, kinds, blocks, pageScript),
  depth: script('depth', common, blocks, depthScript),
  events: script('events', common, eventsScript),
  tidy: script('tidy', common, kinds, blocks, forgetting, tidyScript),
  outbox: script('outbox', common, kinds, blocks, outboxScript),
  pause: script('pause', common, blocks, pauseScript),
  documents: script('documents', common, accepting, documentsScript),
}
