import { expect, test } from 'vitest'
import { backendId } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { TaskIds } from './task-ids.ts'

const at = { backend: backendId('jobs'), id: 'task-1' }
const KEY = { id: 'k', key: Buffer.alloc(32, 7) }
const OTHER = { kind: 'somebody else' } as unknown as Principal

test('any replica with the same keys routes an id, and gives the same one', () => {
  const [one, two] = [new Sealer([KEY]), new Sealer([KEY])].map((sealer) => new TaskIds(() => sealer))
  const shown = one?.shown(at, ANONYMOUS) ?? ''
  expect(two?.open(shown, ANONYMOUS)).toEqual({ kind: 'backend', ...at })
  expect(two?.shown(at, ANONYMOUS)).toBe(shown)
  expect(shown).not.toContain('task-1')
})

test('an id opens for its principal only', () => {
  const sealer = new Sealer()
  const ids = new TaskIds(() => sealer)
  const shown = ids.shown(at, ANONYMOUS) ?? ''
  expect(ids.open(shown, OTHER)).toBeUndefined()
  expect(ids.shown(at, OTHER)).not.toBe(shown)
})

test.each(['', 'task-1', '786512e2-9e0d-44bd-8f29-789f320fe840', 'A'.repeat(9000)])('%j is no id of ours', (token) => {
  const sealer = new Sealer()
  expect(new TaskIds(() => sealer).open(token, ANONYMOUS)).toBeUndefined()
})

test('a token of another purpose is none either', () => {
  const sealer = new Sealer()
  const ids = new TaskIds(() => sealer)
  expect(ids.open(sealer.seal({ after: [], index: 3 }, 'cursor tools anonymous'), ANONYMOUS)).toBeUndefined()
})

test('ids are good after the key was rotated', () => {
  let sealer = new Sealer([KEY])
  const ids = new TaskIds(() => sealer)
  const shown = ids.shown(at, ANONYMOUS) ?? ''
  sealer = new Sealer([{ id: 'n', key: Buffer.alloc(32, 8) }, KEY])
  expect(ids.open(shown, ANONYMOUS)).toEqual({ kind: 'backend', ...at })
})

test('a hidden task has no id', () => {
  const sealer = new Sealer()
  const ids = new TaskIds(() => sealer)
  const end = ids.hide(at, undefined)
  expect(ids.shown(at, ANONYMOUS)).toBeUndefined()
  end()
  expect(ids.shown(at, ANONYMOUS)).toBeTypeOf('string')
})

test('an id that would not fit has none either', () => {
  const sealer = new Sealer()
  expect(new TaskIds(() => sealer).shown({ ...at, id: 'x'.repeat(3000) }, ANONYMOUS)).toBeUndefined()
})

test('an id names a task of a backend or a run, for one principal', () => {
  const sealer = new Sealer()
  const ids = new TaskIds(() => sealer)
  const run = ids.shownRun('run-1', ANONYMOUS)
  expect(ids.open(run, ANONYMOUS)).toEqual({ kind: 'run', run: 'run-1' })
  expect(ids.shownRun('run-1', ANONYMOUS)).toBe(run)
  expect(ids.open(run, OTHER)).toBeUndefined()
  expect(ids.open('run-1', ANONYMOUS)).toBeUndefined()
  expect(ids.namesOf(at.backend).native(run, ANONYMOUS)).toBeUndefined()
})
