import { content, discard, task } from 'offload'
import { z } from 'zod'

export const echo = task('echo', {
  input: z.object({ text: z.string() }),
  run: ({ text }) => (text === 'bad' ? discard('not wanted') : { said: text }),
})

/** Runs until it is released or told to stop. */
export const hold = task('hold', {
  input: z.object({}),
  run: (_input, job) =>
    new Promise<string>((resolve) => {
      held.add(() => resolve('released'))
      job.signal.addEventListener('abort', () => resolve('stopped'))
    }),
})

const held = new Set<() => void>()

/** Ends the jobs that are held now. */
export function release(): void {
  for (const end of held) end()
  held.clear()
}

export const file = task('file', {
  input: z.object({ name: z.string().optional(), type: z.string().optional() }),
  run: ({ name, type }) =>
    content(bytes, {
      type: type ?? 'application/octet-stream',
      ...(name === undefined ? {} : { filename: name }),
    }),
})

/** No text in any encoding. */
export const bytes: Uint8Array = Uint8Array.of(0, 255, 254, 128, 10, 13, 0)

export const long = task('long', { input: z.object({}), run: () => 'x'.repeat(20_000) })

export const tasks = [echo, hold, file, long] as const
