import { existsSync } from 'node:fs'
import { OffloadError } from '../../job/errors.ts'
import { hideSecrets } from '../../secrets.ts'
import type { Call } from '../call.ts'
import type { Command } from '../command.ts'
import { fileFindings } from '../doctor/file.ts'
import type { Finding } from '../doctor/finding.ts'
import { ok, warn, wrong } from '../doctor/finding.ts'
import { clockFinding, nodeFinding } from '../doctor/host.ts'
import { schemaFinding } from '../doctor/schema.ts'
import { storeFindings } from '../doctor/store.ts'
import type { Place } from '../store.ts'
import { fileOf, isMemory, placeOf } from '../store.ts'
import { table } from '../table.ts'
import type { Part, Style } from '../terminal.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'checks the queue and this host, and says what to do',
  about: [
    'It changes nothing and makes no queue. The exit code is 1 when something is wrong; a warning alone is 0.',
  ],
  async run(call) {
    const started = { wall: Date.now(), steady: performance.now() }
    const place = placeOf(call)
    const findings = [nodeFinding(process.version), ...(await placeFindings(place))]
    const clock = clockFinding(started.wall, Date.now(), performance.now() - started.steady)
    return tell(call, [...findings, clock].map(masked))
  },
}

async function placeFindings(place: Place): Promise<Finding[]> {
  let file: string | undefined
  try {
    if (isMemory(place.url))
      return [warn('url', place.url, 'it lives and ends with one process: nobody else can reach it')]
    file = [place.url, place.ledger ?? ''].map(fileOf).find((path) => path !== undefined)
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    return [wrong('url', place.url, error.message)]
  }
  const urls = ok('url', place.ledger === undefined ? place.url : `${place.url}, ledger ${place.ledger}`)
  if (file === undefined) return [urls, ...(await storeFindings(place))]
  const about = await fileFindings(file)
  if (about.some(({ state }) => state === 'wrong')) return [urls, ...about]
  const schema = await schemaFinding(file)
  const opens = schema.state === 'ok' && existsSync(file)
  return [urls, ...about, schema, ...(opens ? await storeFindings(place) : [])]
}

function masked({ todo, ...finding }: Finding): Finding {
  return {
    ...finding,
    found: hideSecrets(finding.found),
    ...(todo === undefined ? {} : { todo: hideSecrets(todo) }),
  }
}

const styles: Readonly<Record<Finding['state'], Style>> = { ok: 'green', warn: 'yellow', wrong: 'red' }

function tell({ terminal }: Call, checks: readonly Finding[]): number {
  const isWrong = checks.some(({ state }) => state === 'wrong')
  terminal.data({ ok: !isWrong, checks })
  const rows = checks.flatMap(({ check, state, found, todo }): Part[][] => [
    [{ text: state, style: styles[state] }, check, found],
    ...(todo === undefined ? [] : [['', '', `-> ${todo}`]]),
  ])
  terminal.print(...table([{ title: '' }, { title: '' }, { title: '' }], rows).slice(1))
  return isWrong ? 1 : 0
}
