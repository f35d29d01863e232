import { join } from 'node:path'

/** What every process of the shop must know. */
export interface Settings {
  readonly folder: string
  /** Names this run, so that it meets nothing that another left in the same store. */
  readonly run: string
  readonly paymentUrl: string
  readonly mailPort: number
}

export const booksPath = ({ folder }: Settings, way: 'blocking' | 'offload'): string =>
  join(folder, `${way}.db`)
export const reportPath = ({ folder }: Settings): string => join(folder, 'sales.csv')
