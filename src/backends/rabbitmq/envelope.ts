import type { Job } from '../../job/job.ts'

/** Who published it: `offload` a job, `offload/ledger` one that a ledger has too. Anything else is a stranger's. */
export type Publisher = 'offload' | 'offload/ledger'

export type Headers = Readonly<Record<string, string | number>>

/** Of a message that is published here. Every one is persistent, and mandatory. */
export interface Properties {
  readonly messageId: string
  readonly persistent: true
  readonly mandatory: true
  readonly appId?: string
  readonly contentType?: string
  readonly timestamp: number
  readonly type: string
  readonly priority?: number
  readonly correlationId?: string
  readonly expiration?: number
  readonly headers: Headers
}

/** Of every message of ours. @param job its first */
export function propertiesOf(
  { id, createdAt }: Job,
  publisher: Publisher,
  contentType: string,
  type: string,
  headers: Headers = {},
): Properties {
  return {
    messageId: id,
    appId: publisher,
    persistent: true,
    timestamp: Math.floor(createdAt / 1000),
    mandatory: true,
    contentType,
    type,
    headers,
  }
}
