import { hash, randomUUID } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { createKeyedMutex } from '../../../concurrency/keyed-mutex.ts'
import { createListeners } from '../listeners.ts'
import { withFileLock } from './file-lock.ts'
import { stateOf, textOf } from './state-text.ts'
import { keyless, StoreFault, unopened, unusable } from './store-fault.ts'
import { EMPTY, type State, type Store } from './store.ts'
import type { VaultKeys } from './vault-keys.ts'

/** Folders that cannot be watched, and watches that miss something, are made up for by a look in this interval. */
const LOOK_MS = 5000

/**
 * One sealed file for all, replaced as a whole; several processes may use it. What cannot be opened is never replaced.
 * `failed` is told once why the file cannot be used, and again when that was over. Everything throws `StoreFault`.
 */
export function createFileStore(path: string, keys: VaultKeys, failed: (fault: StoreFault) => void = () => {}): Store {
  const listeners = createListeners<[State, State]>()
  const inTurn = createKeyedMutex()
  let known: { stamp: string; state: State } | undefined
  let told: State | undefined
  let toldFault: string | undefined
  let stopLooking: (() => void) | undefined
  let subscribers = 0

  async function read(): Promise<State> {
    try {
      const state = await current()
      toldFault = undefined
      return state
    } catch (error) {
      // Whoever has gone on without it hears of what is in it when it can be read again.
      told ??= EMPTY
      throw complain(error as Error)
    }
  }

  function complain(error: Error): Error {
    if (error instanceof StoreFault && toldFault !== error.message) {
      toldFault = error.message
      failed(error)
    }
    return error
  }

  async function current(): Promise<State> {
    for (;;) {
      const stamp = await stampOf(path)
      const before = known
      if (before?.stamp === stamp) {
        tell(before.state)
        return before.state
      }
      const state = await contents()
      // Somebody else of this process may have read or written a newer one meanwhile.
      if (known === before) known = { stamp, state }
    }
  }

  async function contents(): Promise<State> {
    const sealed = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw unusable('read', path, error)
    })
    if (sealed === undefined) return EMPTY
    const text = await keys.open(sealed).catch((error: unknown) => {
      throw keyless(path, keys.keyFile, error)
    })
    const state = text === undefined ? undefined : stateOf(text)
    if (!state) throw unopened(path, keys.sealedWith(sealed))
    return state
  }

  function tell(state: State): void {
    const before = told
    told = state
    if (before && before !== state) listeners.call(state, before)
  }

  async function write(state: State): Promise<void> {
    const draft = `${path}.${randomUUID()}`
    const sealed = await keys.seal(textOf(state)).catch((error: unknown) => {
      throw complain(keyless(path, keys.keyFile, error))
    })
    try {
      const file = await open(draft, 'wx', 0o600)
      try {
        await file.writeFile(sealed)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {})
      throw complain(unusable('written', path, error))
    }
    known = { stamp: await stampOf(path), state }
    tell(state)
  }

  const locked = <T>(name: string, lock: string, work: () => Promise<T>): Promise<T> =>
    inTurn(name, async () => {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      } catch (error) {
        throw complain(unusable('written', path, error))
      }
      return withFileLock(lock, work)
    })

  return {
    read,
    update: (change) =>
      locked('', `${path}.lock`, async () => {
        const before = await read()
        const state = change(before)
        if (state !== before) await write(state)
      }),
    exclusively: (name, work) => locked(`:${name}`, `${path}.${hash('sha256', name).slice(0, 16)}.lock`, work),
    subscribe(listener) {
      const leave = listeners.add(listener)
      if (subscribers++ === 0) stopLooking = look(path, () => void read().catch(() => {}))
      return () => {
        leave()
        if (--subscribers === 0) stopLooking?.()
      }
    },
    close: () => stopLooking?.(),
  }
}

async function stampOf(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined)
  return stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : ''
}

/** Calls when the file may have changed, and keeps no process alive. */
function look(path: string, changed: () => void): () => void {
  let watcher: FSWatcher | undefined
  const begin = (): void => {
    try {
      // The folder: the file is replaced, and a watch of the file would stay with the old one.
      watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name === null || name === basename(path)) changed()
      })
      watcher.on('error', () => {
        watcher?.close()
        watcher = undefined
      })
    } catch {
      watcher = undefined
    }
  }
  begin()
  changed()
  const timer = setInterval(() => {
    if (!watcher) begin()
    changed()
  }, LOOK_MS).unref()
  return () => {
    clearInterval(timer)
    watcher?.close()
  }
}
