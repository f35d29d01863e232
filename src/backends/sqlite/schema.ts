import type { DatabaseSync } from 'node:sqlite'
import { BackendError } from '../../job/errors.ts'

/** "ofld": tells our files from others (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x6f666c64

/** Files of version 1 were made before the first release. */
export const FIRST_VERSION = 2

/**
 * Each brings the file one version forward; the version is `pragma user_version`. Only ever add at the end.
 *
 * What never changes about a job stands in `jobs`. Where it is stands in exactly one of four tables, so that a move
 * rewrites no payload: `waiting` (scheduled, or behind an earlier one of its key), `ready` (can start now), `running` (the
 * claims) and `ended`. The last three hold spans (`spans.ts`). `notes` holds what few jobs have.
 */
export const migrations: readonly string[] = [
  `
  create table jobs (
    seq integer primary key autoincrement,
    id text not null unique,
    queue text not null,
    task text not null,
    key text,
    priority integer not null,
    created integer not null,
    run_at integer,
    deadline integer,
    max_attempts integer not null,
    rank integer not null,
    payload text not null,
    trace text
  );
  create index jobs_task on jobs (task, seq);
  create index jobs_key on jobs (queue, key, seq) where key is not null;

  create table waiting (
    seq integer primary key,
    state integer not null,
    due integer,
    attempt integer not null,
    fence integer not null,
    started integer
  );
  create index waiting_due on waiting (due) where due is not null;

  create table ready (
    first integer primary key,
    last integer not null,
    queue text not null,
    rank integer not null,
    attempt integer not null,
    fence integer not null,
    started integer,
    publish integer,
    published integer
  );
  create index ready_rank on ready (queue, rank, first);
  create index ready_publish on ready (publish) where publish is not null;

  create table running (
    first integer primary key,
    last integer not null,
    queue text not null,
    claim integer not null,
    until integer not null,
    lease integer not null,
    worker text not null,
    cancelling integer not null,
    attempt integer not null,
    fence integer not null,
    started integer not null
  );
  create index running_until on running (until);

  create table ended (
    first integer primary key,
    last integer not null,
    queue text not null,
    state integer not null,
    at integer not null,
    attempt integer not null,
    fence integer not null,
    started integer
  );
  create index ended_at on ended (state, at);
  create index ended_dead on ended (queue, first) where state = 4;

  create table notes (seq integer primary key, faults text, progress text, log text, result text);

  create table line (
    queue text not null,
    key text not null,
    fresh integer not null,
    seq integer not null,
    held integer not null,
    primary key (queue, key, fresh, seq)
  ) without rowid;
  create index line_held on line (queue, key) where held = 1;

  create table deadlines (deadline integer not null, seq integer not null, primary key (deadline, seq)) without rowid;
  create table counts (queue text not null, state integer not null, n integer not null, primary key (queue, state)) without rowid;
  create table paused (queue text primary key) without rowid;
  create table settings (name text primary key, value) without rowid;
  insert into settings values ('claims', 0);
  create table events (first integer primary key, last integer not null, at integer not null, types integer not null, body text not null);
  create table peers (port integer primary key, seen integer not null);

  create view records as
    select jobs.*,
      coalesce(ended.state, iif(running.first is null, waiting.state, 2), 1) as state,
      waiting.state = 1 as blocked,
      coalesce(ended.attempt, running.attempt, waiting.attempt, ready.attempt) as attempt,
      coalesce(ended.fence, running.fence, waiting.fence, ready.fence) as fence,
      coalesce(ended.started, running.started, waiting.started, ready.started) as started,
      coalesce(running.until, waiting.due) as due,
      running.claim, running.lease, running.worker, running.cancelling,
      ended.at as ended,
      notes.faults, notes.progress, notes.log, notes.result
    from jobs
    left join ended on ended.first = (select first from ended where first <= jobs.seq order by first desc limit 1)
      and ended.last >= jobs.seq
    left join running on running.first = (select first from running where first <= jobs.seq order by first desc limit 1)
      and running.last >= jobs.seq
    left join waiting on waiting.seq = jobs.seq
    left join ready on ready.first = (select first from ready where first <= jobs.seq order by first desc limit 1)
      and ready.last >= jobs.seq
    left join notes on notes.seq = jobs.seq;
  `,
  `
  alter table jobs add column tenant text;
  alter table jobs add column idempotency text;
  alter table jobs add column fingerprint text;
  alter table jobs add column on_done text;
  create index jobs_tenant on jobs (tenant, seq) where tenant is not null;
  create unique index jobs_idempotency on jobs (idempotency) where idempotency is not null;
  `,
  `
  create table documents (
    kind text not null,
    name text not null,
    version integer not null,
    due integer,
    value text not null,
    primary key (kind, name)
  );
  create index documents_due on documents (kind, due, name) where due is not null;
  `,
  `
  create index ready_published on ready (queue, published, first) where published is not null;
  `,
  // State 6: the bytes of the payloads that wait. What the others are is said in counts.ts.
  `
  insert into counts
    select queue, 6, sum(octet_length(payload)) from jobs
    where seq in (select seq from waiting union all select seq from ready join jobs on seq between first and last)
    group by queue;
  `,
]

export const VERSION: number = FIRST_VERSION + migrations.length - 1

/** Opens an empty file as a store, brings an older one forward, and refuses a foreign or newer one. */
export function applySchema(db: DatabaseSync, path: string): void {
  const before = identity(db)
  if (before.application === 0 && before.tables > 0) {
    throw new BackendError('BACKEND_CORRUPT', `${path} is a database of something else; name another file`)
  }
  if (before.application !== 0 && before.application !== APPLICATION_ID) {
    throw new BackendError('BACKEND_CORRUPT', `${path} belongs to another application; name another file`)
  }
  if (before.version > VERSION) {
    throw new BackendError(
      'BACKEND_NEWER',
      `${path} has schema version ${before.version}, this release knows up to ${VERSION}: upgrade offload here; nothing was changed`,
    )
  }
  if (before.tables > 0 && before.version < FIRST_VERSION) {
    throw new BackendError(
      'BACKEND_CORRUPT',
      `${path} was made by a pre-release (schema version ${before.version}): finish its jobs with that one, or name another file`,
    )
  }
  if (before.tables === 0) db.exec('pragma auto_vacuum = incremental')
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory; pragma journal_size_limit = 67108864',
  )
  if (before.version === VERSION) return
  db.exec('begin immediate')
  try {
    const { version } = identity(db)
    for (const migration of migrations.slice(Math.max(0, version - FIRST_VERSION + 1))) db.exec(migration)
    db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${Math.max(version, VERSION)}`)
    db.exec('commit')
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}

interface Identity {
  readonly application: number
  readonly version: number
  readonly tables: number
}

/** Read in one transaction: another process may be making the tables at this moment, and they are ours. */
function identity(db: DatabaseSync): Identity {
  if (db.isTransaction) return identityHere(db)
  db.exec('begin')
  try {
    return identityHere(db)
  } finally {
    if (db.isTransaction) db.exec('commit')
  }
}

function identityHere(db: DatabaseSync): Identity {
  const one = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0)
  return {
    application: one('pragma application_id'),
    version: one('pragma user_version'),
    tables: one('select count(*) from sqlite_schema'),
  }
}
