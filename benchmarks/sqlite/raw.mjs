import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/**
 * The floor: what the file alone costs. One table with a unique id, what is added in a turn of the event loop in one fsynced
 * transaction; work reads a thousand rows and deletes them. No lease, no state, no result, no event, no lookup after the end.
 *
 * @type {import('../lib/system.ts').Open}
 */
export async function open({ path }) {
  const db = new DatabaseSync(path)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec(
    'create table if not exists jobs (seq integer primary key, id text not null unique, payload text not null)',
  )
  const insert = db.prepare('insert into jobs (id, payload) values (?, ?)')
  const read = db.prepare('select seq, payload from jobs order by seq limit 1000')
  const remove = db.prepare('delete from jobs where seq <= ?')
  const prefix = String(Date.now())
  let [count, calls] = [0, []]
  const write = (payloads) => {
    db.exec('begin immediate')
    for (const payload of payloads) insert.run(`${prefix}${String(++count).padStart(17, '0')}`, payload)
    db.exec('commit')
  }
  const flush = () => {
    const batch = calls
    calls = []
    write(batch.map(({ text }) => text))
    for (const { resolve } of batch) resolve()
  }
  return {
    add: (payload) =>
      new Promise((resolve) => {
        if (calls.push({ text: JSON.stringify(payload), resolve }) === 1) setImmediate(flush)
      }),
    addMany: async (payloads) => write(payloads.map((payload) => JSON.stringify(payload))),
    work(_, { onStart, onDone }) {
      const turn = () => {
        const rows = read.all()
        for (const { payload } of rows) onStart(JSON.parse(payload))
        if (rows.length > 0) {
          db.exec('pragma synchronous = normal')
          remove.run(rows.at(-1).seq)
          db.exec('pragma synchronous = full')
        }
        for (const _ of rows) onDone()
        setImmediate(turn)
      }
      turn()
    },
    bytes: async () => statSync(path).size + statSync(`${path}-wal`).size,
    close: async () => {},
  }
}
