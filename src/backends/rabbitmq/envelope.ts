import type { Options } from 'amqplib'
import type { Job } from '../../job/job.ts'

/** Who published it: `offload` a job, `offload/ledger` one that a ledger has too. Anything else is a stranger's. */
export type Publisher = 'offload' | 'offload/ledger'

/** Of every message of ours. @param job its first */
export function propertiesOf(job: Job, publisher: Publisher): Options.Publish {
  return {
    messageId: job.id,
    appId: publisher,
    persistent: true,
    timestamp: Math.floor(job.createdAt / 1000),
    mandatory: true,
  }
}
