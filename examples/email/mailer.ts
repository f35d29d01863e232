import { setTimeout as sleep } from 'node:timers/promises'

let isDown = true
setTimeout(() => {
  isDown = false
}, 1500).unref()

/** A mail provider on a bad day: it takes its time, and for the first second and a half it fails. */
export async function sendMail(to: string, text: string): Promise<string> {
  await sleep(200)
  if (isDown) throw new Error('the mail provider does not answer')
  return `${text} -> ${to}`
}
