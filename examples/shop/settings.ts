import { join } from 'node:path'

/** What every process of the shop must know. */
export interface Settings {
  readonly folder: string
  readonly paymentUrl: string
  readonly mailPort: number
}

export const queueUrl = ({ folder }: Settings): string => `sqlite:${join(folder, 'queue.db')}`
export const booksPath = ({ folder }: Settings, way: 'blocking' | 'offload'): string =>
  join(folder, `${way}.db`)
export const reportPath = ({ folder }: Settings): string => join(folder, 'sales.csv')
