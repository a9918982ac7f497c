import { chmodSync, closeSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { StoreError } from '../store-error.ts'

/** "vmcp": what tells our files from others. */
const APPLICATION = 0x766d6370
const VERSION = 1
/** How long another process may write. */
const PATIENCE_MS = 10_000

const TABLES = `
CREATE TABLE run (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  workflow TEXT NOT NULL,
  definition TEXT NOT NULL,
  revision INTEGER NOT NULL,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ended_at INTEGER,
  open_until INTEGER,
  holder TEXT,
  lease_until INTEGER,
  returns INTEGER NOT NULL,
  steps TEXT,
  failure TEXT
) STRICT;
CREATE INDEX run_created ON run (created_at);
CREATE INDEX run_owner ON run (owner, created_at);
CREATE INDEX run_open ON run (owner) WHERE ended_at IS NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_held ON run (holder) WHERE holder IS NOT NULL;
-- In the order of writing, so that what many runs write together lies together.
CREATE TABLE journal (
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
  revision INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX journal_run ON journal (run, revision);
CREATE TABLE definition (hash TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA application_id = ${APPLICATION};
PRAGMA user_version = ${VERSION};
`

/** Opens the file, or makes it, for its owner only. Throws `StoreError`. */
export function openFile(file: string): DatabaseSync {
  return guarded(file, () => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (!isDatabase(file)) throw foreign(file)
    const database = new DatabaseSync(file, { timeout: PATIENCE_MS, enableForeignKeyConstraints: true })
    try {
      prepare(database, file)
      // The files of its log are made alike.
      chmodSync(file, 0o600)
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    } catch (error) {
      database.close()
      throw error
    }
    return database
  })
}

const foreign = (file: string): StoreError =>
  new StoreError('foreign', `${file} is not a store of workflow runs: name another place, or move it away`)

const MAGIC = 'SQLite format 3\0'

/** Or nothing yet; then it is made, for its owner only. What is short SQLite would take for nothing. */
function isDatabase(file: string): boolean {
  const descriptor = openSync(file, 'a+', 0o600)
  try {
    const head = Buffer.alloc(MAGIC.length)
    const bytes = readSync(descriptor, head, 0, head.length, 0)
    return bytes === 0 || head.toString('latin1') === MAGIC
  } finally {
    closeSync(descriptor)
  }
}

function prepare(database: DatabaseSync, file: string): void {
  // What we do not know stays as it is.
  if (isEmpty(database)) {
    database.exec('BEGIN IMMEDIATE')
    // Perhaps another process was first.
    if (isEmpty(database)) database.exec(TABLES)
    database.exec('COMMIT')
  }
  if (pragma(database, 'application_id') !== APPLICATION) {
    throw foreign(file)
  }
  const version = pragma(database, 'user_version')
  if (version > VERSION) {
    throw new StoreError('newer', `${file} was written by a later version (format ${version}, known is ${VERSION})`)
  }
}

const isEmpty = (database: DatabaseSync): boolean => pragma(database, 'schema_version') === 0

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0)
}

const NOT_A_DATABASE = 26
const DAMAGED = 11

/** Passes on what `work` returns; what it throws becomes a `StoreError`. */
export function guarded<Value>(file: string, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    if (error instanceof StoreError) throw error
    const { errcode, message } = error as Error & { errcode?: number }
    const code = (errcode ?? 0) & 0xff
    if (code === NOT_A_DATABASE) {
      throw foreign(file)
    }
    if (code === DAMAGED) {
      throw new StoreError('damaged', `${file} is damaged: put back a copy, or move it away to begin anew`)
    }
    throw new StoreError('failed', `${file} cannot be used: ${message}`)
  }
}
