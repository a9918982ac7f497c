import { execFile, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'

import { sealingWith, TEST_KEY } from '../../../test/support/workflow/sealing.ts'
import { bodyOf, describeStore, ROOM, storedRun } from '../../../test/support/workflow/store-suite.ts'
import { parseJson } from '../../../test/support/workflow/json.ts'
import { openFileStore } from './file-store.ts'
import type { StoredRun } from './run-store.ts'

const root = mkdtempSync(join(tmpdir(), 'vmcp-store-'))
afterAll(() => rmSync(root, { recursive: true }))

const folderOf = () => mkdtempSync(join(root, 'f-'))
const open = (folder = folderOf(), key = TEST_KEY) =>
  openFileStore({ folder, sealing: sealingWith(key), parse: parseJson })
const child = (name: string) => join(import.meta.dirname, '../../../test/support/workflow/children', name)

describe('file', () => describeStore(() => open()))

test('what was written is there when it is opened again, and nobody else may read it', async () => {
  const folder = join(folderOf(), 'deep', 'er')
  const one = await open(folder)
  await one.create(storedRun('a', { body: bodyOf({ secret: 'swordfish' }) }), ROOM)
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  await one.close()
  const text = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1'))
  expect(text.join('')).not.toContain('swordfish')
  const other = await open(folder)
  expect((await other.read('a'))?.body).toEqual(bodyOf({ secret: 'swordfish' }))
  await other.close()
})

test('closing writes what was asked, and then there is nothing to ask', async () => {
  const folder = folderOf()
  const store = await open(folder)
  const created = store.create(storedRun('a'), ROOM)
  await store.close()
  expect(await created).toBe('created')
  await expect(store.read('a')).rejects.toMatchObject({ kind: 'failed' })
  const again = await open(folder)
  expect(await again.read('a')).toBeDefined()
  await again.close()
})

describe('a file that is', () => {
  const file = (folder: string) => join(folder, 'runs.db')

  test.each<[string, (path: string) => void, string, RegExp]>([
    ['text', (path) => writeFileSync(path, 'Dear diary, '.repeat(1_000)), 'foreign', /is not a store/],
    ['short', (path) => writeFileSync(path, 'x'), 'foreign', /is not a store/],
    [
      'of another program',
      (path) => {
        const other = new DatabaseSync(path)
        other.exec('CREATE TABLE mine (x); INSERT INTO mine VALUES (1)')
        other.close()
      },
      'foreign',
      /is not a store/,
    ],
  ])('%s is refused and left as it is', async (_, make, kind, message) => {
    const folder = folderOf()
    make(file(folder))
    const before = readFileSync(file(folder))
    await expect(open(folder)).rejects.toMatchObject({ kind, message: expect.stringMatching(message) as string })
    expect(readFileSync(file(folder)).equals(before)).toBe(true)
  })

  test('of a later version is refused', async () => {
    const folder = folderOf()
    await (await open(folder)).close()
    const later = new DatabaseSync(file(folder))
    later.exec('PRAGMA user_version = 2')
    later.close()
    await expect(open(folder)).rejects.toMatchObject({ kind: 'newer' })
  })

  test('of this version, with a run of another one, says so when that is read', async () => {
    const folder = folderOf()
    const sealing = sealingWith(TEST_KEY)
    const seal: typeof sealing.seal = (text, binding) => sealing.seal(text.replace('"format":1', '"format":2'), binding)
    const later = await openFileStore({ folder, sealing: { ...sealing, seal }, parse: parseJson })
    await later.create(storedRun('a'), ROOM)
    await later.close()
    const store = await open(folder)
    await store.create(storedRun('b'), ROOM)
    await expect(store.read('a')).rejects.toMatchObject({ kind: 'newer', message: expect.stringContaining('format 2') })
    expect((await store.read('b'))?.id).toBe('b')
    await store.close()
  })

  test('damaged says so', async () => {
    const folder = folderOf()
    const store = await open(folder)
    for (let count = 0; count < 50; count++) {
      await store.create(storedRun(`r${count}`, { body: bodyOf({ text: 'x'.repeat(5_000) }) }), ROOM)
    }
    await store.close()
    const bytes = readFileSync(file(folder))
    bytes.fill(0xaa, 4_096)
    writeFileSync(file(folder), bytes)
    const attempt = async () => {
      const broken = await open(folder)
      try {
        await broken.read('r1')
      } finally {
        await broken.close()
      }
    }
    await expect(attempt()).rejects.toMatchObject({ kind: 'damaged' })
  })

  test('a folder, or in a place where none may be, says so', async () => {
    const folder = folderOf()
    appendFileSync(join(folder, 'plain'), '')
    await expect(open(join(folder, 'plain'))).rejects.toMatchObject({ kind: 'failed' })
  })

  test('sealed with another key, or changed by somebody, says so', async () => {
    const folder = folderOf()
    const store = await open(folder)
    let run: StoredRun = storedRun('a')
    await store.create(run, ROOM)
    await store.create(storedRun('b'), ROOM)
    for (let step = 0; step < 3; step++) {
      const after = { ...run, revision: run.revision + 1, body: bodyOf({ step }) }
      await store.update(run, after)
      run = after
    }
    await store.close()
    const wrong = await open(folder, Buffer.alloc(32, 8))
    await expect(wrong.read('a')).rejects.toMatchObject({ kind: 'sealed' })
    expect(await wrong.list({})).toHaveLength(2)
    await wrong.close()

    const tamper = async (sql: string, kind: string, id = 'a') => {
      const database = new DatabaseSync(file(folder))
      database.exec(`PRAGMA foreign_keys = OFF; SAVEPOINT before; ${sql}; RELEASE before`)
      database.close()
      const store = await open(folder)
      await expect(store.read(id), sql).rejects.toMatchObject({ kind })
      await store.close()
    }
    await tamper('DELETE FROM journal WHERE run = 1 AND revision = 3', 'damaged')
    await tamper(`UPDATE run SET owner = 'eve' WHERE id = 'a'`, 'sealed')
    await tamper('UPDATE journal SET run = 2, revision = 9 WHERE run = 1 AND revision = 4', 'sealed', 'b')
  })
})

test('processes that change one run at the same time lose none of their changes', async () => {
  const folder = folderOf()
  const run = promisify(execFile)
  const all = await Promise.all([1, 2, 3].map(() => run(process.execPath, [child('contender.ts'), folder, 'a', '60'])))
  const store = await open(folder)
  expect((await store.read('a'))?.body?.run).toEqual({ count: 180 })
  await store.close()
  expect(all.map(({ stderr }) => stderr)).toEqual(['', '', ''])
})

test(
  'a process that is killed in the middle has written what it was told is written',
  { timeout: 20_000 },
  async () => {
    const folder = folderOf()
    for (const most of [1, 40, 200, 333]) {
      const id = `run-${most}`
      const writer = spawn(process.execPath, [child('writer.ts'), folder, id], { stdio: ['ignore', 'pipe', 'inherit'] })
      let told = 0
      writer.stdout.on('data', (bytes: Buffer) => {
        told = Number(bytes.toString().trim().split('\n').at(-1))
        if (told >= most) writer.kill('SIGKILL')
      })
      await once(writer, 'close')
      expect(told).toBeLessThan(1_000)
      const store = await open(folder)
      const run = await store.read(id)
      if (!run?.body) throw new Error('There is no such run')
      const { count } = run.body.run as unknown as { count: number }
      // The last may have been written and not told any more.
      expect([told, told + 1]).toContain(count)
      expect(run.revision).toBe(count + 1)
      await store.close()
    }
  },
)
