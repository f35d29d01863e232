import type { Offload } from '../../offload.ts'
import type { Command } from '../command.ts'
import { withQueue } from '../store.ts'
import { tellVerdicts } from '../verdicts.ts'

type RetryVerdict = 'queued' | 'refused' | 'unknown'

const meanings: Readonly<Record<RetryVerdict, string>> = {
  queued: 'queued again',
  refused: 'it is not dead; only dead letters are tried again',
  unknown: 'no such job is remembered',
}

export const retry: Command = {
  name: 'retry',
  args: '<id...>',
  takes: [1, 1000],
  summary: 'queues dead letters again, with all their attempts',
  run: (call) =>
    withQueue(call, async (queue) => {
      const verdicts: [string, RetryVerdict][] = []
      for (const id of call.args) verdicts.push([id, await retryOne(queue, id)])
      return tellVerdicts(call.terminal, verdicts, meanings, ['queued'])
    }),
}

async function retryOne(queue: Offload, id: string): Promise<RetryVerdict> {
  if (await queue.retry(id)) return 'queued'
  return (await queue.get(id)) === undefined ? 'unknown' : 'refused'
}
