import { existsSync, readFileSync } from 'node:fs'
import type { Books } from './books.ts'
import { STOCK_AT_START } from './books.ts'
import type { Answered, Load } from './load.ts'
import { isGood } from './load.ts'
import type { MailProvider } from './providers/mail.ts'
import type { PaymentProvider } from './providers/payment.ts'
import { messageIdOf } from './steps.ts'

/** How a way ended, as the customers and the payment provider saw it. */
export interface Outcome {
  readonly answers: readonly Answered[]
  /** Orders charged although their customer saw an error. */
  readonly chargedYetFailed: number
}

export interface Promised {
  readonly promise: string
  readonly kept: number
  readonly of: number
}

export function outcomeOf({ answers }: Load, { charges }: PaymentProvider): Outcome {
  const charged = new Set(charges)
  return { answers, chargedYetFailed: answers.filter((a) => !isGood(a) && charged.has(a.orderId)).length }
}

/** Counted at the outside parties: what the customers hold against what the providers and the stock say. */
export function promisesOf(
  load: Load,
  payment: PaymentProvider,
  mail: MailProvider,
  books: Books,
  report: string,
): Promised[] {
  const accepted = load.accepted()
  const of = accepted.length
  const charges = tally(payment.charges)
  const moved = new Set(books.orders())
  const owed = accepted.reduce((sum, id) => sum + quantityOf(id), 0)
  const stockRight = STOCK_AT_START - books.left() === owed
  const done = accepted.filter((id) => charges.has(id) && moved.has(id) && mail.received.has(messageIdOf(id)))
  const announced = mail.received.has(messageIdOf('report'))
  const listed = existsSync(report)
    ? readFileSync(report, 'utf8')
        .split('\n')
        .filter((id) => moved.has(id))
    : []
  return [
    { promise: 'every order got its 202', kept: of, of: load.placed },
    { promise: 'paid exactly once', kept: accepted.filter((id) => charges.get(id) === 1).length, of },
    {
      promise: 'mailed exactly once',
      kept: accepted.filter((id) => mail.received.has(messageIdOf(id))).length,
      of,
    },
    {
      promise: 'taken off the stock',
      kept: stockRight ? accepted.filter((id) => moved.has(id)).length : 0,
      of,
    },
    { promise: 'nothing lost', kept: done.length, of },
    { promise: 'report written and announced', kept: announced && listed.length > 0 ? 1 : 0, of: 1 },
  ]
}

export function isKept({ kept, of }: Promised): boolean {
  return kept === of
}

/** Mails that were handed over more than once; the provider dropped the second by its Message-ID. */
export function repeatedMails(mail: MailProvider): number {
  return [...mail.received.values()].filter((times) => times > 1).length
}

function quantityOf(orderId: string): number {
  return 1 + (Number(orderId.split('-').at(-1)) % 3)
}

function tally(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
