/** Checked by the compiler alone: a line that should not compile says so, and fails the check when it does. */
import type { Api, ClientEvent, ClientJob, InputOf, OffloadClient, ResultOf } from 'offload/client'
import { offloadClient } from 'offload/client'
import type { JobResource } from 'offload/http'
import { z } from 'zod'
import type { AnyTask, Task } from '../src/index.ts'
import { discard, task } from '../src/index.ts'
import { content } from '../src/job/content.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const yes = <_ extends true>(): void => {}

const report = task('report', {
  input: z.object({ size: z.string().transform(Number) }),
  run: ({ size }) => (size < 0 ? discard('no') : { text: 'x' }),
})
const nothing = task('nothing', { input: z.null(), run() {} })
const picture = task('picture', {
  input: z.object({}),
  run: () => content('x', { type: 'image/png' }),
})
const accept = { '/reports': report, '/nothing': { task: nothing, batch: 10 }, '/pictures': picture }
const client = offloadClient<typeof accept>()

export function aTableOfRoutesTellsWhatTheyTakeAndGive(): void {
  yes<Same<InputOf<(typeof accept)['/reports']>, { size: string }>>()
  yes<Same<ResultOf<(typeof accept)['/reports']>, { text: string }>>()
  yes<Same<InputOf<(typeof accept)['/nothing']>, null>>()
  yes<Same<ResultOf<(typeof accept)['/nothing']>, void>>()
  yes<Same<ResultOf<(typeof accept)['/pictures']>, Blob>>()
}

export async function aJobKnowsItsResult(): Promise<void> {
  const job = await client.submit('/reports', { size: '1' }, { wait: '5s' })
  yes<Same<typeof job, ClientJob<{ text: string }>>>()
  const result = await client.wait(job, { timeout: 500 })
  yes<Same<typeof result, { text: string }>>()
  for await (const event of client.follow(job)) {
    yes<Same<typeof event, ClientEvent<{ text: string }>>>()
    if (event.job !== undefined) yes<Same<typeof event.job.result, { text: string } | undefined>>()
    else yes<Same<typeof event.attempt, number>>()
  }
  const unknown = await client.wait('/jobs/1')
  yes<Same<typeof unknown, unknown>>()
  yes<Same<Awaited<ReturnType<typeof client.cancel>>, 'cancelled' | 'cancelling' | 'ended' | 'unknown'>>()
}

export async function whatARouteDoesNotTakeDoesNotCompile(): Promise<void> {
  // @ts-expect-error a number is no text
  await client.submit('/reports', { size: 1 })
  // @ts-expect-error no such route
  await client.submit('/report', { size: '1' })
  // @ts-expect-error no such member
  await client.submit('/reports', { size: '1', colour: 'red' })
  // @ts-expect-error no input
  await client.submit('/reports')
  // @ts-expect-error no such unit
  await client.submit('/reports', { size: '1' }, { wait: '1 week' })
  // @ts-expect-error an id alone is no job
  await client.wait({ id: 'x' })
}

export async function aRouteMayBeToldByHandOrNotAtAll(): Promise<void> {
  const byHand = offloadClient<{ [path: `/users/${string}/reports`]: Task<{ size: number }, string> }>()
  yes<Same<Awaited<ReturnType<typeof byHand.wait<string>>>, string>>()
  const job = await byHand.submit('/users/7/reports', { size: 1 })
  yes<Same<typeof job, ClientJob<string>>>()
  // @ts-expect-error no such route
  await byHand.submit('/users/7', { size: 1 })
  const untyped = await offloadClient().submit('/anything', [1])
  yes<Same<typeof untyped, ClientJob<unknown>>>()
  const any: OffloadClient<Record<string, AnyTask>> = offloadClient()
  await any.submit('/x', 1)
}

export function whatTheServerSendsIsWhatTheClientReads(resource: JobResource, table: Api): ClientJob {
  yes<Same<Api[string], (typeof table)[string]>>()
  const { links, error, ...rest } = resource
  const { self = '', events = '' } = links
  return { ...rest, links: { ...links, self, events } }
}
