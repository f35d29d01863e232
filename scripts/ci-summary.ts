import { existsSync, readFileSync } from 'node:fs'

/** The part of vitest's JSON report that the summary needs. */
interface Report {
  numPassedTests: number
  numFailedTests: number
  testResults: { status: string; assertionResults: { status: string }[] }[]
}

const nothing: Report = { numPassedTests: 0, numFailedTests: 0, testResults: [] }

const isBroken = (file: Report['testResults'][number]): boolean =>
  file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')

/** Prints the count of the report named on the command line; a file that did not load is a failure. */
const [path = ''] = process.argv.slice(2)
const report: Report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : nothing
const failed = report.numFailedTests + report.testResults.filter(isBroken).length
console.log(`${report.numPassedTests} passed, ${failed} failed`)
if (failed > 0 || report.numPassedTests === 0) process.exitCode = 1
