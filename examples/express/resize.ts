import { setTimeout as sleep } from 'node:timers/promises'

/** Stands for work that takes its time. */
export async function resize(url: string, width: number): Promise<{ url: string; width: number }> {
  await sleep(300)
  return { url: `${url}?w=${width}`, width }
}
