import { expect, test } from 'vitest'
import { content } from '../../job/content.ts'
import type { EndedJob } from '../../job/follow-up.ts'
import type { EventOptions } from './event.ts'
import { messageOf, percentEncoded } from './event.ts'

const ended: EndedJob = {
  id: '01j00000000000000000000000abcd',
  task: 'report.make',
  queue: 'default',
  state: 'done',
  attempt: 2,
  createdAt: Date.UTC(2030, 0, 1),
  endedAt: Date.UTC(2030, 0, 1, 0, 0, 5, 250),
  result: { pages: 3 },
  data: { endpoint: 'crm' },
}
const plain: EventOptions = { base: undefined, envelope: 'standard', source: 'urn:offload' }
const linked: EventOptions = { ...plain, base: 'https://api.example.com/jobs' }
const bodyOf = (job: EndedJob, options = plain): unknown =>
  JSON.parse(messageOf(job, 'd', options).body.toString())

test('a done job is told with its result, never with what onDone handed on', () => {
  expect(bodyOf(ended)).toEqual({
    type: 'job.done',
    timestamp: '2030-01-01T00:00:05.250Z',
    data: {
      id: ended.id,
      task: 'report.make',
      queue: 'default',
      state: 'done',
      attempt: 2,
      createdAt: '2030-01-01T00:00:00.000Z',
      endedAt: '2030-01-01T00:00:05.250Z',
      result: { pages: 3 },
    },
  })
})

test('a job without a result has a result of null', () => {
  const { result: _, ...without } = ended
  expect(bodyOf(without)).toMatchObject({ data: { result: null } })
})

test('a dead job is told with a problem document, a cancelled one by its state', () => {
  const { result: _, ...rest } = ended
  const error = { code: 'HANDLER_FAILED', message: 'no paper' }
  expect(bodyOf({ ...rest, state: 'dead', error })).toMatchObject({
    type: 'job.dead',
    data: {
      state: 'dead',
      error: {
        type: 'urn:offload:error:handler-failed',
        title: 'The handler threw.',
        detail: 'no paper',
        code: 'HANDLER_FAILED',
      },
    },
  })
  const cancelled = bodyOf({ ...rest, state: 'cancelled', tenant: 'acme' }) as { data: object }
  expect(cancelled).toMatchObject({ type: 'job.cancelled', data: { state: 'cancelled', tenant: 'acme' } })
  expect(cancelled.data).not.toHaveProperty('result')
})

test('links lead to the job where its routes are known from outside', () => {
  expect(bodyOf(ended, linked)).toMatchObject({
    data: {
      links: {
        self: `https://api.example.com/jobs/${ended.id}`,
        result: `https://api.example.com/jobs/${ended.id}/result`,
      },
    },
  })
})

test('a result that would make the body larger than 20 kB gives way to where it is read', () => {
  for (const text of ['x'.repeat(25_000), '€'.repeat(7000)]) {
    const { body } = messageOf({ ...ended, result: text }, 'd', linked)
    expect(body.length).toBeLessThan(20_000)
    const { data } = JSON.parse(body.toString())
    expect(data).not.toHaveProperty('result')
    expect(data.resultUrl).toBe(`https://api.example.com/jobs/${ended.id}/result`)
  }
  const { result: _, ...without } = ended
  const { data } = bodyOf({ ...without, resultLength: 70_000 }, plain) as { data: object }
  expect(data).not.toHaveProperty('result')
  expect(data).not.toHaveProperty('resultUrl')
})

test('a result that is bytes of a type of its own is told by where it is read', () => {
  const result = content('a,b', { type: 'text/csv' })
  const { data } = bodyOf({ ...ended, result }, linked) as { data: object }
  expect(data).not.toHaveProperty('result')
  expect(data).toHaveProperty('resultUrl')
})

test('a long error message does not make the body larger than 20 kB either', () => {
  const { result: _, ...rest } = ended
  const error = { code: 'HANDLER_FAILED', message: '😀\u0001'.repeat(5000) }
  expect(messageOf({ ...rest, state: 'dead', error }, 'd', linked).body.length).toBeLessThan(20_000)
})

test('the id of a webhook comes from the job that delivers it, and has no dot', () => {
  const idOf = (deliveryId: string): string => messageOf(ended, deliveryId, plain).id
  expect(idOf('01j0abc.3.done')).toBe('msg_01j0abc_3_done')
  expect(idOf('01j0abc.3.done')).toBe(idOf('01j0abc.3.done'))
  expect(idOf('order:7@x.y~z')).toMatch(/^msg_[\w-]{43}$/)
  const ids = ['a.b', 'a_b', 'a-b', 'a..b', 'A.b', 'ab'].map(idOf)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.join()).not.toContain('.')
})

test('in CloudEvents the body is the data alone, and the rest stands in percent-encoded headers', () => {
  const options: EventOptions = { ...linked, envelope: 'cloudevents', source: 'urn:büro "1" 100%' }
  const { id, body, headers } = messageOf(ended, 'd', options)
  expect(JSON.parse(body.toString())).toMatchObject({ id: ended.id, state: 'done' })
  expect(headers).toEqual({
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': 'urn:b%C3%BCro%20%221%22%20100%25',
    'ce-type': 'offload.job.done',
    'ce-time': '2030-01-01T00:00:05.250Z',
    'ce-subject': ended.id,
  })
})

test('the example of the HTTP binding of CloudEvents is encoded as it says', () => {
  expect(percentEncoded('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80')
  expect(percentEncoded('a\r\nb\u007f~!')).toBe('a%0D%0Ab%7F~!')
})
