import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { Secret } from '../../../../model/secret.ts'
import { withFileLock } from './file-lock.ts'
import { createFileStore } from './file-store.ts'
import { StoreFault } from './store-fault.ts'
import { EMPTY, type State, type StoredToken, tokenKey, withoutTokens, withToken } from './store.ts'
import { createVaultKeys } from './vault-keys.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vmcp-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

const token = (subject: string, access = 'a token'): StoredToken => ({
  backend: 'mail',
  url: 'https://mail.example/mcp',
  subject,
  issuer: 'https://as.example',
  resource: 'https://mail.example/mcp',
  client: { id: 'me', origin: 'registered', secret: new Secret('a secret') },
  access: new Secret(access),
  refresh: new Secret('a refresh token'),
  obtainedAt: 0,
  scopes: [],
})

function storeIn(path: string, keys = createVaultKeys([], join(path, 'key'))) {
  const store = createFileStore(join(path, 'deep', 'tokens'), keys)
  onTestFinished(() => store.close())
  return store
}

const SEALED = `${Buffer.from('{"v":1,"key":"2026"}').toString('base64url')}.AAAA\n`
const key = (id: string, byte: number) => ({ id, key: Buffer.alloc(32, byte) })

test('what is kept is sealed, for this user only, and found again', async () => {
  const path = folder()
  const store = storeIn(path)
  expect(await store.read()).toEqual(EMPTY)
  await store.update((state) => withToken(state, token('alice')))
  const file = join(path, 'deep', 'tokens')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(path, 'key')).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, 'utf8')).not.toMatch(/alice|token|secret/u)
  const [kept] = Object.values((await storeIn(path).read()).tokens)
  expect(kept).toEqual(token('alice'))
  expect([kept?.access, kept?.refresh, kept?.client.secret].map((secret) => secret?.reveal())).toEqual([
    'a token',
    'a refresh token',
    'a secret',
  ])
  expect(inspect(await store.read(), { depth: 9 })).not.toMatch(/a token|a secret/u)
  await store.update((state) => withoutTokens(state, () => true))
  expect((await storeIn(path).read()).tokens).toEqual({})
  // Neither drafts nor locks are left.
  expect(readdirSync(join(path, 'deep'))).toEqual(['tokens'])
})

test('an update that changes nothing writes nothing', async () => {
  const path = folder()
  await storeIn(path).update((state) => state)
  expect(readdirSync(join(path, 'deep'))).toEqual([])
})

test('the first key seals, all open; keys of other files do not', async () => {
  const path = folder()
  const [old, young] = [key('2025', 1), key('2026', 2)]
  const keyed = (...keys: (typeof old)[]) => storeIn(path, createVaultKeys(keys, join(path, 'key')))
  await keyed(old).update((state) => withToken(state, token('alice')))
  await keyed(young, old).update((state) => withToken(state, token('bob')))
  expect(Object.keys((await keyed(young).read()).tokens)).toHaveLength(2)
  await expect(keyed(old).read()).rejects.toMatchObject({
    code: 'CREDENTIAL_UNAVAILABLE',
    message: expect.stringContaining('sealed with another key') as string,
  })
  await expect(keyed(key('2026', 3)).read()).rejects.toThrow('sealed with another key')
})

test.each([
  ['empty', () => ''],
  ['cut off', (text: string) => text.slice(0, 60)],
  ['another byte', (text: string) => text.replace(/.{4}\n$/u, 'AAAA\n')],
  [
    'another head',
    (text: string) => `${Buffer.from('{"v":2,"key":"file"}').toString('base64url')}.${text.split('.')[1]}`,
  ],
  ['no head', () => 'nonsense'],
  ['a head of null', () => `${Buffer.from('null').toString('base64url')}.AAAA`],
])('a damaged file is an error and stays as it is: %s', async (_name, spoil) => {
  const path = folder()
  await storeIn(path).update((state) => withToken(state, token('alice')))
  const file = join(path, 'deep', 'tokens')
  const spoilt = spoil(readFileSync(file, 'utf8'))
  writeFileSync(file, spoilt)
  const store = storeIn(path)
  await expect(store.read()).rejects.toThrow('cannot be opened')
  await expect(store.update((state) => withToken(state, token('bob')))).rejects.toThrow('cannot be opened')
  expect(readFileSync(file, 'utf8')).toBe(spoilt)
})

test('a key file that holds no key is an error without its path', async () => {
  const path = folder()
  writeFileSync(join(path, 'key'), 'short')
  const error: unknown = await storeIn(path)
    .update((state) => withToken(state, token('alice')))
    .catch((error: unknown) => error)
  expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' })
  expect(String(error)).not.toContain(path)
})

test.each<[string, (file: string, keyFile: string) => void, string]>([
  ['nonsense', (file) => writeFileSync(file, 'nonsense'), 'remove FILE to start anew; users then sign in again'],
  ['its key file is gone', (_file, keyFile) => rmSync(keyFile), 'restore KEY, or remove FILE to start anew'],
  [
    'another key file',
    (_file, keyFile) => writeFileSync(keyFile, Buffer.alloc(32, 7).toString('base64url')),
    'restore KEY, or remove FILE to start anew',
  ],
  [
    'a key that was configured',
    (file) => writeFileSync(file, SEALED),
    'restore the key "2026" of sealing.keys, or rem',
  ],
  ['no key', (_file, keyFile) => writeFileSync(keyFile, 'short'), 'restore it, or remove it and FILE to start anew'],
  ['a folder', (file) => (rmSync(file), mkdirSync(file)), 'make it a file, in a folder that'],
  [
    'a file for a folder',
    (file) => (rmSync(dirname(file), { recursive: true }), writeFileSync(dirname(file), '')),
    'make all that its path leads through folders',
  ],
])('there is a way out of: %s', async (name, spoil, remedy) => {
  const path = folder()
  const [file, keyFile] = [join(path, 'deep', 'tokens'), join(path, 'key')]
  await storeIn(path).update((state) => withToken(state, token('alice')))
  spoil(file, keyFile)
  const faults: StoreFault[] = []
  const store = createFileStore(file, createVaultKeys([], keyFile), (fault) => faults.push(fault))
  onTestFinished(() => store.close())
  for (let turn = 0; turn < 3; turn++) await expect(store.read()).rejects.toBeInstanceOf(StoreFault)
  expect(faults).toHaveLength(1)
  expect(faults[0]?.remedy.replaceAll(file, 'FILE').replaceAll(keyFile, 'KEY')).toContain(remedy)
  expect([file, keyFile]).toContain(faults[0]?.file)
  expect(faults[0]?.message).not.toContain(path)
  // No key is made up for a file that another one has sealed.
  if (name === 'its key file is gone') expect(existsSync(keyFile)).toBe(false)
})

test('changes of several stores at a time are all kept', async () => {
  const path = folder()
  const stores = [storeIn(path), storeIn(path), storeIn(path)]
  const names = Array.from({ length: 30 }, (_none, index) => `user-${index}`)
  await Promise.all(
    names.map(async (name, index) => stores[index % 3]?.update((state) => withToken(state, token(name)))),
  )
  expect(
    Object.values((await storeIn(path).read()).tokens)
      .map(({ subject }) => subject)
      .sort(),
  ).toEqual(names.sort())
})

test('work under one name is done by one at a time, of all stores', async () => {
  const path = folder()
  const stores = [storeIn(path), storeIn(path)]
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await sleep(5)
    running--
  }
  await Promise.all(Array.from({ length: 10 }, async (_none, index) => stores[index % 2]?.exclusively('x', work)))
  expect(most).toBe(1)
  // It may write meanwhile.
  await stores[0]?.exclusively('x', async () => stores[0]?.update((state) => withToken(state, token('alice'))))
  const failing = stores[0]?.exclusively('x', () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  expect(await stores[1]?.exclusively('x', async () => 'done')).toBe('done')
})

test('listeners hear of what another store has written', async () => {
  const path = folder()
  const mine = storeIn(path)
  const states: State[] = []
  await mine.update((state) => withToken(state, token('alice')))
  const leave = mine.subscribe((state) => states.push(state))
  await sleep(20)
  await storeIn(path).update((state) => withToken(state, token('bob')))
  await expect.poll(() => states.length).toBe(1)
  expect(Object.keys(states[0]?.tokens ?? {})).toContain(tokenKey(token('bob')))
  leave()
  await storeIn(path).update((state) => withToken(state, token('carol')))
  await sleep(50)
  expect(states).toHaveLength(1)
})

const TIMES = { beatMs: 20, staleMs: 200, patienceMs: 2000 }

test('the lock of a process that was killed is broken at once', async () => {
  const lock = join(folder(), 'lock')
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  writeFileSync(lock, `${hostname()} ${child.pid} x`)
  const begun = performance.now()
  let held = false
  const work = withFileLock(lock, async () => void (held = true), { ...TIMES, staleMs: 10_000 })
  await sleep(100)
  expect(held).toBe(false)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await work
  expect(performance.now() - begun).toBeLessThan(2000)
})

test('a lock of another machine is broken when it is silent, and kept while it beats', async () => {
  const lock = join(folder(), 'lock')
  writeFileSync(lock, 'elsewhere 1 x')
  const beat = setInterval(() => utimesSync(lock, new Date(), new Date()), 20)
  let held = false
  const work = withFileLock(lock, async () => void (held = true), TIMES)
  await sleep(300)
  expect(held).toBe(false)
  clearInterval(beat)
  await work
  expect(held).toBe(true)
})

test('many find a dead lock, one holds it at a time', async () => {
  const lock = join(folder(), 'lock')
  writeFileSync(lock, `${hostname()} 999999999 x`)
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await sleep(2)
    running--
  }
  await Promise.all(Array.from({ length: 20 }, () => withFileLock(lock, work, TIMES)))
  expect(most).toBe(1)
})

test('patience has an end', async () => {
  const lock = join(folder(), 'lock')
  writeFileSync(lock, `${hostname()} ${process.pid} x`)
  const work = withFileLock(lock, async () => {}, { beatMs: 20, staleMs: 60_000, patienceMs: 50 })
  await expect(work).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' })
})
