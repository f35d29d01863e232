import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine } from '../benchmarks/lib/figures.ts'
import type { Finding } from './faults/fault.ts'
import type { FaultName, Skipped } from './faults.ts'
import { faults, faultTable, isBroken, runFault } from './faults.ts'
import type { Verdict } from './proofs.ts'
import { proofs, proofTable, prove } from './proofs.ts'

/** Every bug, one after the other, each of which its check must catch. */
export async function runProofs(seed: number): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const proof of proofs) {
    const verdict = await prove(proof, seed)
    console.log(`${verdict.verdict} by ${proof.caughtBy} under ${proof.under}: ${proof.mutant}`)
    verdicts.push(verdict)
  }
  return verdicts
}

/** `npm run lab -- faults [name …]`: each fault of the list once, in its long form, then the bugs. Answers whether all is well. */
export async function runFaults(seed: number, asked: readonly string[]): Promise<boolean> {
  const names = (Object.keys(faults) as FaultName[]).filter(
    (name) => asked.length === 0 || asked.includes(name),
  )
  const findings: (Finding | Skipped)[] = []
  for (const name of names) {
    const begun = performance.now()
    const finding = await runFault(name, { form: 'long', seed })
    const how = 'skipped' in finding ? finding.skipped : isBroken(finding) ? 'BROKEN' : 'kept'
    console.log(`${name}: ${how} (${Math.round((performance.now() - begun) / 1000)} s)`)
    findings.push(finding)
  }
  const verdicts = asked.length === 0 ? await runProofs(seed) : []
  const text = `# Faults of one host

${machine()} Seed ${seed}. Made by \`npm run lab -- faults\`; the numbers are those of the project's list of faults. Real processes throughout, counted by a file outside the system; "other checks" says how much each found. Kills at random, pauses and restarts of the message server (1 to 4, 9, 10, 29, 30) are in \`lab.md\`.

${faultTable(findings)}

## That each check can fail

Each bug is put into the store or the message client of the processes, and the named check of the same run must find it.

${proofTable(verdicts)}
`
  if (asked.length === 0) writeFileSync(join(import.meta.dirname, '../benchmarks/results/faults.md'), text)
  else console.log(text)
  return !findings.some(isBroken) && !verdicts.some(({ verdict }) => verdict === 'NOT CAUGHT')
}
