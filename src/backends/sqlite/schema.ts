import type { DatabaseSync } from 'node:sqlite'
import { BackendError } from '../../job/errors.ts'

/** "ofld": tells our files from others (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x6f666c64

/** Each brings the file one version forward; the version is `pragma user_version`. Only ever add at the end. */
export const migrations: readonly string[] = [
  `
  create table jobs (
    seq integer primary key autoincrement,
    id text not null unique,
    queue text not null,
    task text not null,
    state integer not null,
    rank integer not null,
    blocked integer not null,
    due integer,
    publish integer,
    published integer,
    key text,
    priority integer not null,
    created integer not null,
    run_at integer,
    deadline integer,
    attempt integer not null default 0,
    max_attempts integer not null,
    fence integer not null default 0,
    worker text,
    started integer,
    ended integer,
    cancelling integer not null default 0,
    payload text not null,
    trace text,
    result text,
    faults text,
    progress text,
    log text
  );
  create index jobs_ready on jobs (queue, rank, seq) where state = 1 and blocked = 0;
  create index jobs_due on jobs (due) where state in (0, 2);
  create index jobs_ended on jobs (state, ended) where state >= 3;
  create index jobs_task on jobs (task, seq);
  create index jobs_dead on jobs (queue, seq) where state = 4;
  create index jobs_key on jobs (queue, key, seq) where key is not null;
  create index jobs_line on jobs (queue, key, fence = 0, seq) where key is not null and state < 3 and (state <> 0 or fence > 0);
  create index jobs_head on jobs (queue, key) where key is not null and (state = 2 or (state = 1 and blocked = 0));
  create index jobs_deadline on jobs (deadline) where deadline is not null and state < 2;
  create index jobs_publish on jobs (publish) where publish is not null;
  create table counts (queue text not null, state integer not null, n integer not null, primary key (queue, state)) without rowid;
  create table paused (queue text primary key) without rowid;
  create table settings (name text primary key, value) without rowid;
  create table events (first integer primary key, last integer not null, at integer not null, body text not null);
  create table peers (port integer primary key, seen integer not null);
  `,
]

/** Opens an empty file as a store, brings an older one forward, and refuses a foreign or newer one. */
export function applySchema(db: DatabaseSync, path: string): void {
  const before = identity(db)
  if (before.application === 0 && before.tables > 0) {
    throw new BackendError('BACKEND_CORRUPT', `${path} is a database of something else; name another file`)
  }
  if (before.application !== 0 && before.application !== APPLICATION_ID) {
    throw new BackendError('BACKEND_CORRUPT', `${path} belongs to another application; name another file`)
  }
  if (before.version > migrations.length) {
    throw new BackendError(
      'BACKEND_NEWER',
      `${path} has schema version ${before.version}, this release knows up to ${migrations.length}: upgrade offload here; nothing was changed`,
    )
  }
  if (before.tables === 0) db.exec('pragma auto_vacuum = incremental')
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory; pragma journal_size_limit = 67108864',
  )
  if (before.version === migrations.length) return
  db.exec('begin immediate')
  try {
    const { version } = identity(db)
    for (const migration of migrations.slice(version)) db.exec(migration)
    db.exec(
      `pragma application_id = ${APPLICATION_ID}; pragma user_version = ${Math.max(version, migrations.length)}`,
    )
    db.exec('commit')
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}

function identity(db: DatabaseSync): { application: number; version: number; tables: number } {
  const one = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0)
  return {
    application: one('pragma application_id'),
    version: one('pragma user_version'),
    tables: one('select count(*) from sqlite_schema'),
  }
}
