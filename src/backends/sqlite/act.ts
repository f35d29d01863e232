import { canBeMoved } from '../../job/past.ts'
import type { Acted, Action, ActVerdict, DeadFilter } from '../../ledger.ts'
import { forgetJobs } from './retention.ts'
import type { Row } from './rows.ts'
import { COUNT, recordOf, STATE } from './rows.ts'
import { takeOneOut } from './spans.ts'
import type { Step } from './step.ts'

export function act(step: Step, action: Action): Acted {
  switch (action.type) {
    case 'cancel':
      return each(action.ids, (id) => cancel(step, id))
    case 'retry':
      return each(action.ids, (id) => revive(step, id))
    case 'redrive':
      return bulk(dead(step, action.filter, action.before, action.limit), (row) =>
        step.apply(row, { type: 'revive' }),
      )
    case 'purge':
      return bulk(dead(step, action.filter, action.before, action.limit), (row) => forget(step, row))
    case 'pause':
      step.db.sql('insert into paused values (?) on conflict do nothing').run(action.queue)
      return { count: 1, verdicts: [] }
    case 'resume':
      step.db.sql('delete from paused where queue = ?').run(action.queue)
      if (step.publishAt !== null) republish(step, action.queue)
      step.startable.add(action.queue)
      return { count: 1, verdicts: [] }
    case 'forget':
      return each(action.ids, (id) => letGo(step, id))
  }
}

/** What waits in a paused queue was owed no message. */
function republish(step: Step, queue: string): void {
  step.db.sql('update ready set publish = ? where queue = ? and published is null').run(step.publishAt, queue)
}

function each(ids: readonly string[], one: (id: string) => ActVerdict): Acted {
  const verdicts = ids.map(one)
  return {
    count: verdicts.filter((verdict) => verdict === 'done' || verdict === 'cancelling').length,
    verdicts,
  }
}

function bulk(rows: readonly Row[], one: (row: Row) => boolean): Acted {
  return { count: rows.filter(one).length, verdicts: [] }
}

function cancel(step: Step, id: string): ActVerdict {
  const row = byId(step, id)
  if (row === undefined) return 'unknown'
  if (!step.apply(row, { type: 'cancel' })) return 'ended'
  return row.state === STATE.running ? 'cancelling' : 'done'
}

function letGo(step: Step, id: string): ActVerdict {
  const row = byId(step, id)
  if (row === undefined) return 'unknown'
  if (!canBeMoved(recordOf(row).state)) return 'refused'
  step.letGo(row)
  forgetJobs(step, { first: row.seq, last: row.seq })
  return 'done'
}

function revive(step: Step, id: string): ActVerdict {
  const row = byId(step, id)
  if (row === undefined) return 'unknown'
  return step.apply(row, { type: 'revive' }) ? 'done' : 'refused'
}

function byId(step: Step, id: string): Row | undefined {
  return step.db.sql('select * from records where id = ?').get(id) as Row | undefined
}

/** Dead letters are spans of one job each: none comes there together with others. */
function dead(step: Step, filter: DeadFilter, before: number, limit: number): Row[] {
  const where = ['ended.state = 4', 'at < ?']
  const values: (string | number)[] = [before]
  const add = (condition: string, value: string): void => {
    where.push(condition)
    values.push(value)
  }
  if (filter.queue !== undefined) add('ended.queue = ?', filter.queue)
  if (filter.task !== undefined) add('task = ?', filter.task)
  if (filter.ids !== undefined) add('id in (select value from json_each(?))', JSON.stringify(filter.ids))
  return step.records(
    `select seq from ended join jobs on seq = first where ${where.join(' and ')} order by seq limit ?`,
    ...values,
    limit,
  )
}

function forget(step: Step, { seq, queue, state }: Row): boolean {
  takeOneOut(step.db, 'ended', seq)
  forgetJobs(step, { first: seq, last: seq })
  step.count(queue, state, -1)
  step.count(queue, COUNT.forgotten, 1)
  return true
}
