import type { BulkLine, DeadSelection } from '../../src/dashboard/shapes.ts'
import { ApiError, postLines } from './api.ts'
import { dismiss, notify, rewrite } from './notices.ts'
import { count, plural } from './words.ts'

const HELD_MS = 8000

/** Does what a button says, and tells how it went. */
export async function attempt(what: () => Promise<string | undefined>): Promise<void> {
  try {
    const text = await what()
    if (text !== undefined) notify(text)
  } catch (error) {
    notify(messageOf(error), { kind: 'error' })
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}

/** Queues dead letters again, telling how far it is. Resolves when it is over. */
export async function redrive(selections: readonly DeadSelection[]): Promise<void> {
  await bulk('redrive', selections, ['Redriving', 'Redrove'])
}

/** Waits for a while in which it can be undone; then nothing brings them back. False when it was undone. */
export async function purgeLater(selections: readonly DeadSelection[], what: string): Promise<boolean> {
  if (await isUndone(what)) {
    notify('Nothing was purged.')
    return false
  }
  await bulk('purge', selections, ['Purging', 'Purged'])
  return true
}

/** Whoever leaves the page has not meant it. */
function isUndone(what: string): Promise<boolean> {
  return new Promise((resolve) => {
    let seconds = HELD_MS / 1000
    const text = (): string => `Purging ${what} in ${seconds} s.`
    const settle = (verdict: boolean): void => {
      clearInterval(timer)
      dismiss(id)
      resolve(verdict)
    }
    const id = notify(text(), { stays: true, action: { label: 'Undo', run: () => settle(true) } })
    const timer = setInterval(() => {
      seconds--
      if (seconds <= 0) settle(false)
      else rewrite(id, text())
    }, 1000)
  })
}

async function bulk(
  act: 'redrive' | 'purge',
  selections: readonly DeadSelection[],
  [doing, did]: readonly [doing: string, did: string],
): Promise<void> {
  const id = notify(`${doing} …`, { stays: true })
  let before = 0
  try {
    for (const selection of selections)
      for await (const line of postLines<BulkLine>(`dead/${act}`, selection)) {
        if ('stopped' in line)
          return void notify(
            `${doing} stopped after ${count(before + line.done)}: ${line.stopped.title} (${line.stopped.code})`,
            { kind: 'error' },
          )
        if ('finished' in line) before += line.finished
        else rewrite(id, `${doing}: ${count(before + line.done)} so far`)
      }
    notify(`${did} ${plural(before, 'dead letter')}.`)
  } catch (error) {
    notify(messageOf(error), { kind: 'error' })
  } finally {
    dismiss(id)
  }
}
