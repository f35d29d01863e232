import { createHash } from 'node:crypto'
import { accepting, acceptScript, kindsScript } from './accept.ts'
import { applyScript } from './apply.ts'
import { blocks, forgetting } from './blocks.ts'
import { claiming, claimScript, ranking } from './claim.ts'
import { documentsScript } from './documents.ts'
import { frame } from './frame.ts'
import { kinds } from './kinds.ts'
import { outboxScript, pauseScript } from './outbox.ts'
import { depthScript, dueScript, eventsScript, pageScript, queuesScript } from './reading.ts'
import { renewScript } from './renew.ts'
import { tidyScript, upgradeScript } from './tidy.ts'

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
    | 'queues'
    | 'depth'
    | 'events'
    | 'tidy'
    | 'upgrade'
    | 'outbox'
    | 'pause'
    | 'documents',
    Script
  >
> = {
  accept: script('accept', frame, kinds, blocks, ranking, accepting, claiming, acceptScript),
  kinds: script('kinds', frame, kindsScript),
  claim: script('claim', frame, kinds, blocks, ranking, claiming, claimScript),
  apply: script('apply', frame, kinds, blocks, accepting, forgetting, applyScript),
  renew: script('renew', frame, kinds, renewScript),
  due: script('due', frame, kinds, dueScript),
  page: script('page', frame, kinds, blocks, pageScript),
  queues: script('queues', frame, queuesScript),
  depth: script('depth', frame, blocks, depthScript),
  events: script('events', frame, eventsScript),
  tidy: script('tidy', frame, kinds, blocks, forgetting, tidyScript),
  upgrade: script('upgrade', frame, kinds, blocks, upgradeScript),
  outbox: script('outbox', frame, kinds, blocks, outboxScript),
  pause: script('pause', frame, blocks, pauseScript),
  documents: script('documents', frame, accepting, documentsScript),
}
