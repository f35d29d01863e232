import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { TestQueue } from 'offload/testing'
import { testQueue } from 'offload/testing'
import type { Bank, Mailer } from './orders.ts'
import { orderTasks } from './orders.ts'

let mails: string[]
let charges: Map<string, number>
let mailerFaults: number
let queue: TestQueue

const mailer: Mailer = {
  async send(_, subject) {
    if (mailerFaults-- > 0) throw new Error('the mailer is away')
    mails.push(subject)
  },
}
const bank: Bank = {
  async charge(cents, idempotencyKey) {
    charges.set(idempotencyKey, cents)
  },
}
const { sendReceipt, askForReview, charge } = orderTasks(mailer, bank)
const order = { orderId: 'o1', to: 'ada@example.com', cents: 4250 }

beforeEach(() => {
  mails = []
  charges = new Map()
  mailerFaults = 0
  queue = testQueue({ tasks: [sendReceipt, askForReview, charge] })
})

afterEach(() => queue.close())

test('a receipt is sent when the mailer is back', async () => {
  mailerFaults = 2
  const { id } = await queue.enqueue(sendReceipt, order)
  await queue.runUntilIdle()
  assert.deepEqual(mails, [])

  await queue.advance('1m')
  assert.deepEqual(mails, ['Receipt of o1'])
  assert.equal((await queue.get(id))?.attempt, 3)
})

test('a review is asked for after an hour', async () => {
  await queue.enqueue(askForReview, order, { delay: '1h' })
  await queue.advance('59m')
  assert.deepEqual(mails, [])

  await queue.advance('1m')
  assert.deepEqual(mails, ['How was o1?'])
})

test('a charge is followed by its receipt', async () => {
  await queue.enqueue(charge, order)
  await queue.runUntilIdle()

  const [receipt] = queue.enqueued(sendReceipt)
  assert.equal(receipt?.id, 'receipt:o1')
  assert.equal(receipt?.input.to, 'ada@example.com')
  assert.equal(receipt?.state, 'done')
})

test('a charge that is delivered twice charges once', async () => {
  queue.faults.deliverTwice(charge)
  await queue.enqueue(charge, order)
  await queue.runUntilIdle()

  assert.equal(charges.size, 1)
  assert.deepEqual(mails, ['Receipt of o1'])
})

test('a crash after the charge neither charges nor writes again', async () => {
  queue.faults.crashAfterHandler(charge)
  const { id } = await queue.enqueue(charge, order)
  await queue.advance('30s')

  assert.equal((await queue.get(id))?.attempt, 2)
  assert.equal(charges.size, 1)
  assert.deepEqual(mails, ['Receipt of o1'])
})
