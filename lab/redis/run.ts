import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine, readable, table } from '../../benchmarks/lib/figures.ts'
import { seeded } from '../../src/testing/least-power-broker.ts'
import { Impossible } from '../faults/fault.ts'
import type { Counted, Trial } from './durability.ts'
import { count, SLOW_MS, trials } from './durability.ts'

/** `npm run lab -- redis [word …]`: what Redis loses, by its settings; those trials alone whose name has all the words. Answers whether what is to be safe is. */
export async function runDurability(seed: number, words: readonly string[]): Promise<boolean> {
  const rounds = Number(process.env.OFFLOAD_LAB_ROUNDS ?? 20)
  const random = seeded(seed)
  const results: (Counted | { trial: Trial; why: string })[] = []
  for (const trial of trials) {
    const name = `${trial.setting}: ${trial.blow}`
    if (!words.every((word) => name.includes(word))) continue
    const result = await count(trial, rounds, random).catch((error: unknown) => {
      if (error instanceof Impossible) return { trial, why: error.message }
      throw error
    })
    results.push(result)
    console.log(`${name}: ${'why' in result ? result.why : JSON.stringify({ ...result, trial: undefined })}`)
  }
  const isKept = results.every((result) => 'why' in result || !result.trial.isSafe || result.lost === 0)
  if (words.length === 0) write(seed, results.map(rowOf))
  return isKept
}

function rowOf(result: Counted | { trial: Trial; why: string }): string[] {
  const { setting, blow, isValkey } = result.trial
  const name = [setting, blow, isValkey === true ? 'Valkey 9' : 'Redis']
  if ('why' in result) return [...name, 'not counted', '', '', result.why]
  const { rounds, accepted, lost, oldestMs } = result
  return [
    ...name,
    String(rounds),
    readable(accepted),
    String(lost),
    lost === 0 ? '' : `${oldestMs} ms before`,
  ]
}

function write(seed: number, rows: string[][]): void {
  const head = ['setting', 'blow', 'server', 'rounds', 'jobs accepted', 'lost', 'accepted at the earliest']
  const text = `# What Redis loses

${machine()} Seed ${seed}. Made by \`npm run lab -- redis\`. A producer with up to 50 calls in flight notes outside what it is told is accepted; the server is struck at a random instant of 1.2 to 3.4 s, started again (or another made master),
and asked for every job.

${table(head, rows)}

- A power cut is a \`kill -9\` after which all is taken from the file that no \`fdatasync\` had finished with, by the server's system calls: the
  worst that a power cut may do to a disk that keeps its word.
- A slow disk is one where each \`fdatasync\` takes ${SLOW_MS} ms longer. With \`everysec\` Redis then holds back what it writes to its file for up
  to 2 s, and answers all the same: \`kill -9\` loses what was not written yet.
- A fail-over is a \`kill -9\` of a master with two replicas and three sentinels on this host, where replicas lag by less than they would over
  a network: the loss without \`replicas\` can be larger.
`
  const folder = join(import.meta.dirname, '../../benchmarks/results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'redis-durability.md'), text)
  console.log(text)
}
