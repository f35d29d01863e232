import type { Terminal } from './terminal.ts'

const CELLS = 30
const STEPS = 10

/** Shows on stderr how far a bulk action is: a bar on a terminal, else a line each tenth. Answers what to tell it. */
export function progress(terminal: Terminal, doing: string, total: number): (done: number) => void {
  let tenth = 0
  return (done) => {
    const share = total === 0 ? 1 : Math.min(1, done / total)
    const count = `${done} of ${Math.max(done, total)}`
    if (terminal.movable) {
      const full = Math.round(share * CELLS)
      terminal.status(`${doing} [${'#'.repeat(full)}${'-'.repeat(CELLS - full)}] ${count}`)
    } else if (done < total && Math.floor(share * STEPS) > tenth) {
      tenth = Math.floor(share * STEPS)
      terminal.note(`${doing}: ${count}`)
    }
  }
}
