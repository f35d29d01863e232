import type { MailProvider } from './providers/mail.ts'
import type { PaymentProvider } from './providers/payment.ts'

export interface Stage {
  readonly name: string
  readonly perSecond: number
  readonly seconds: number
  readonly mail?: 'slow' | 'dead'
  readonly payment?: 'silent'
  readonly killWorker?: true
}

/** What both shops go through. */
const stages: readonly Stage[] = [
  { name: 'steady traffic', perSecond: 10, seconds: 2 },
  { name: 'ten times the traffic', perSecond: 100, seconds: 4 },
  { name: 'mail provider slow', perSecond: 10, seconds: 3, mail: 'slow' },
  { name: 'mail provider dead', perSecond: 10, seconds: 2, mail: 'dead' },
  { name: 'payments charged, answer lost', perSecond: 10, seconds: 3, payment: 'silent' },
  { name: 'a worker is killed (kill -9)', perSecond: 50, seconds: 2, killWorker: true },
]

/** The short form is the same in a quarter of the time. */
export const stagesOf = ({ isShort }: { isShort: boolean }): readonly Stage[] =>
  stages.map((stage) => ({ ...stage, seconds: isShort ? stage.seconds / 4 : stage.seconds }))

export async function setStage(stage: Stage, mail: MailProvider, payment: PaymentProvider): Promise<void> {
  await mail.setMode(stage.mail ?? 'ok')
  payment.mode = stage.payment ?? 'ok'
}
