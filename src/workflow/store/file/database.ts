import type { SQLInputValue, StatementSync } from 'node:sqlite'

import { DEFAULT_LIST, type Erasure, type RunFilter } from '../run-store.ts'
import { type Answers, CHANGING_COLUMNS, type Request, type Row, type SealedRun } from './rows.ts'
import { guarded, openFile } from './schema.ts'

export interface Database {
  /** All that is asked together is written together: everything or nothing. Waits for the disk. Throws `StoreError`. */
  readonly perform: (requests: readonly Request[]) => Answers[Request['do']][]
  readonly close: () => void
}

const FIXED = ['id', 'owner', 'workflow', 'definition', 'created_at', 'returns']
const COLUMNS = [...FIXED, ...CHANGING_COLUMNS]

export function openDatabase(file: string): Database {
  const database = openFile(file)
  const statements = new Map<string, StatementSync>()
  const sql = (text: string): StatementSync => {
    let statement = statements.get(text)
    if (!statement) statements.set(text, (statement = database.prepare(text)))
    return statement
  }

  const DEFINE = 'INSERT INTO definition VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET sealed = excluded.sealed'
  const INSERT = `INSERT OR IGNORE INTO run (${COLUMNS.join()}) VALUES (${COLUMNS.map((name) => `:${name}`).join()})`

  function create({ row, sealed, definition, room }: Request & { do: 'create' }): Answers['create'] {
    if (sql('SELECT 1 FROM run WHERE id = ?').get(row.id)) return 'exists'
    if (count('SELECT count(*) AS count FROM run WHERE ended_at IS NULL') >= room.all) return 'full'
    const own = count('SELECT count(*) AS count FROM run WHERE owner = ? AND ended_at IS NULL', row.owner)
    if (own >= room.perOwner) return 'full for owner'
    // The key that sealed it last may be gone soon: this one is newer, or the same.
    if (definition) sql(DEFINE).run(row.definition, definition)
    else if (!sql('SELECT 1 FROM definition WHERE hash = ?').get(row.definition)) return 'unknown definition'
    const { lastInsertRowid } = sql(INSERT).run({ ...row })
    sql('INSERT INTO journal VALUES (?, ?, ?)').run(lastInsertRowid, row.revision, sealed)
    return 'created'
  }

  function update({ id, expected, change, sealed }: Request & { do: 'update' }): boolean {
    const names = CHANGING_COLUMNS.filter((name) => name in change)
    const set = names.map((name) => `${name} = ?`).join()
    const values = names.map((name) => change[name] ?? null)
    const found = sql(`UPDATE run SET ${set} WHERE id = ? AND revision = ? RETURNING number`).get(
      ...values,
      id,
      expected,
    )
    if (!found) return false
    const number = found['number'] as number
    if (sealed) sql('INSERT INTO journal VALUES (?, ?, ?)').run(number, change.revision, sealed)
    else sql('DELETE FROM journal WHERE run = ?').run(number)
    return true
  }

  function read({ id }: Request & { do: 'read' }): SealedRun | undefined {
    const found = sql(`SELECT number, ${COLUMNS.join()} FROM run WHERE id = ?`).get(id)
    if (!found) return undefined
    const { number, ...row } = found
    const definition = sql('SELECT sealed FROM definition WHERE hash = ?').get(row['definition'] ?? null)
    const entries = sql('SELECT revision, sealed FROM journal WHERE run = ? ORDER BY revision').all(number ?? null)
    return {
      row: row as unknown as Row,
      definition: (definition?.['sealed'] ?? new Uint8Array()) as Uint8Array,
      entries: entries as unknown as SealedRun['entries'],
    }
  }

  function list({ filter }: Request & { do: 'list' }): Row[] {
    const { where, values } = conditions(filter)
    const order = `ORDER BY created_at DESC, number DESC LIMIT ?`
    const text = `SELECT ${COLUMNS.join()} FROM run ${where} ${order}`
    return sql(text).all(...values, filter.limit ?? DEFAULT_LIST) as unknown as Row[]
  }

  function erase({ valuesBefore, runsBefore, keep }: Erasure): void {
    const ENDED = 'SELECT number FROM run WHERE ended_at IS NOT NULL'
    sql('DELETE FROM run WHERE ended_at < ?').run(runsBefore)
    sql(`DELETE FROM run WHERE number IN (${ENDED} ORDER BY ended_at DESC, number DESC LIMIT -1 OFFSET ?)`).run(keep)
    sql('DELETE FROM journal WHERE run IN (SELECT number FROM run WHERE ended_at < ?)').run(valuesBefore)
    sql('DELETE FROM definition WHERE hash NOT IN (SELECT definition FROM run)').run()
  }

  function count(text: string, ...values: SQLInputValue[]): number {
    return Number(sql(text).get(...values)?.['count'])
  }

  function answer(request: Request): Answers[Request['do']] {
    switch (request.do) {
      case 'create':
        return create(request)
      case 'update':
        return update(request)
      case 'read':
        return read(request)
      case 'list':
        return list(request)
      case 'renew': {
        const held = sql('UPDATE run SET lease_until = ? WHERE holder = ? RETURNING id')
        return held.all(request.until, request.holder).map(({ id }) => id as string)
      }
      case 'erase':
        erase(request.erasure)
        return undefined
    }
  }

  return {
    perform: (requests) =>
      guarded(file, () => {
        sql(requests.some(isWrite) ? 'BEGIN IMMEDIATE' : 'BEGIN').run()
        try {
          const answers = requests.map(answer)
          sql('COMMIT').run()
          return answers
        } catch (error) {
          if (database.isTransaction) sql('ROLLBACK').run()
          throw error
        }
      }),
    close: () => database.close(),
  }
}

const isWrite = (request: Request): boolean => request.do !== 'read' && request.do !== 'list'

function conditions(filter: RunFilter): { where: string; values: SQLInputValue[] } {
  const { owner, workflow, status, before, after, leaseBefore, openBefore } = filter
  const all: [string, ...SQLInputValue[]][] = []
  if (owner !== undefined) all.push(['owner = ?', owner])
  if (workflow !== undefined) all.push(['workflow = ?', workflow])
  if (status) all.push([`status IN (${status.map(() => '?').join()})`, ...status])
  if (before !== undefined) all.push(['created_at < ?', before])
  if (after !== undefined) all.push(['created_at >= ?', after])
  if (leaseBefore !== undefined) all.push(['holder IS NOT NULL AND lease_until < ?', leaseBefore])
  if (openBefore !== undefined) all.push(['open_until < ?', openBefore])
  const where = all.length === 0 ? '' : `WHERE ${all.map(([text]) => text).join(' AND ')}`
  return { where, values: all.flatMap(([, ...values]) => values) }
}
