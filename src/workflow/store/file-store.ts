import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Answers, Request, SealedRun } from './file/rows.ts'
import { changeOf, rowOf, runOf } from './file/rows.ts'
import { type Reply, WORKER } from './file/worker.ts'
import { apply, diff, type Patch } from './patch.ts'
import { BODY_FORMAT, isRunId, type Definition, type RunBody, type RunStore, type StoredRun } from './run-store.ts'
import { StoreError } from './store-error.ts'

export interface FileStoreOptions {
  /** Made when it is not there. */
  readonly folder: string
  readonly sealing: Sealing
  /** JSON, numbers that JavaScript cannot hold included. */
  readonly parse: (text: string) => JsonValue
}

export const fileIn = (folder: string): string => join(folder, 'runs.db')

/** What is sealed under one `binding` opens under no other. */
export interface Sealing {
  readonly seal: (text: string, binding: string) => Uint8Array
  /** Another one as soon as another key seals; tells nothing of it. */
  readonly key: () => string
  /** `undefined`: not sealed by us, not so, or not with a key that we have. */
  readonly open: (sealed: Uint8Array, binding: string) => string | undefined
}

/**
 * Runs in a file, which several processes may share. Each write adds to the journal of its run what has changed, sealed
 * for its place there. What is asked while the disk is busy is written together, in one transaction.
 * Rejects with `StoreError` when the file cannot be opened.
 */
export async function openFileStore({ folder, sealing, parse }: FileStoreOptions): Promise<RunStore> {
  const file = fileIn(folder)
  const client = startWorker(file)
  /** Definitions that lie there, and the key that sealed them. */
  const known = new Map<string, string>()
  try {
    await client.ask({ do: 'list', filter: { limit: 0 } })
  } catch (error) {
    await client.close()
    throw error
  }

  const sealEntry = (run: StoredRun, from: number, patch: Patch): Uint8Array =>
    seal(JSON.stringify({ format: BODY_FORMAT, from, patch }), entryBinding(run.id, run.owner, run.revision))

  return {
    create: async (run, room) => {
      if (!isRunId(run.id)) return 'exists'
      const { hash } = run.definition
      const sealed = sealEntry(run, 0, diff(null, (run.body ?? null) as JsonValue | null))
      const request = { do: 'create', row: rowOf(run), sealed, room } as const
      const key = sealing.key()
      const isKnown = known.get(hash) === key
      const created = await client.ask({ ...request, definition: isKnown ? undefined : sealDefinition(run.definition) })
      if (created !== 'unknown definition') {
        if (created === 'created') known.set(hash, key)
        return created
      }
      known.delete(hash)
      const again = await client.ask({ ...request, definition: sealDefinition(run.definition) })
      return again === 'unknown definition' ? 'exists' : again
    },
    read: async (id) => {
      if (!isRunId(id)) return undefined
      const found = await client.ask({ do: 'read', id })
      return found?.row.id === id ? unseal(found) : undefined
    },
    update: (before, after) => {
      const patch = after.body && diff((before.body ?? null) as JsonValue | null, after.body as unknown as JsonValue)
      const sealed = patch && sealEntry(after, before.revision, patch)
      const { id, revision: expected } = before
      return client.ask({ do: 'update', id, expected, change: changeOf(before, after), sealed })
    },
    list: async (filter) => (await client.ask({ do: 'list', filter })).map(runOf),
    renew: (holder, until) => client.ask({ do: 'renew', holder, until }),
    erase: (erasure) => client.ask({ do: 'erase', erasure }),
    close: client.close,
  }

  function sealDefinition({ hash, value }: Definition): Uint8Array {
    return seal(JSON.stringify(value), definitionBinding(hash))
  }

  function seal(text: string, binding: string): Uint8Array {
    const sealed = sealing.seal(text, binding)
    // A buffer out of a pool would go to the other thread with all of its pool.
    return sealed.byteLength === sealed.buffer.byteLength ? sealed : new Uint8Array(sealed)
  }

  function unseal({ row, definition, entries }: SealedRun): StoredRun {
    const run = runOf(row)
    const value = parse(open(definition, definitionBinding(row.definition)))
    const stored = { ...run, definition: { hash: row.definition, value } }
    if (entries.length === 0) return stored
    let revision = 0
    let body: JsonValue = null
    for (const entry of entries) {
      const text = open(entry.sealed, entryBinding(row.id, row.owner, entry.revision))
      const { format, from, patch } = parse(text) as JsonObject
      if (format !== BODY_FORMAT) throw otherFormat(format)
      if (from !== revision) throw damaged()
      try {
        body = apply(body, patch as unknown as Patch)
      } catch {
        throw damaged()
      }
      revision = entry.revision
    }
    if (revision !== row.revision) throw damaged()
    return { ...stored, body: body as unknown as RunBody }
  }

  function open(sealed: Uint8Array, binding: string): string {
    const text = sealing.open(sealed, binding)
    if (text !== undefined) return text
    throw new StoreError('sealed', `What ${file} holds was sealed with another key, or has been changed`)
  }

  function otherFormat(format: unknown): StoreError {
    const found = JSON.stringify(format ?? null)
    return new StoreError('newer', `${file} holds a run of another version (format ${found}, known is ${BODY_FORMAT})`)
  }

  function damaged(): StoreError {
    return new StoreError('damaged', `${file} is damaged: entries of a journal are missing`)
  }
}

const entryBinding = (id: string, owner: string, revision: number): string =>
  JSON.stringify(['workflow run', id, owner, revision])

const definitionBinding = (hash: string): string => JSON.stringify(['workflow definition', hash])

interface WorkerClient {
  readonly ask: <Asked extends Request>(request: Asked) => Promise<Answers[Asked['do']]>
  readonly close: () => Promise<void>
}

interface Waiting {
  readonly request: Request
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** To the thread that has the file open. */
function startWorker(file: string): WorkerClient {
  // A library that is new in this version of Node says so on stderr.
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const worker = new Worker(WORKER, { workerData: { file }, execArgv })
  worker.unref()
  const sent: Waiting[][] = []
  let waiting: Waiting[] = []
  let isDue = false
  let broken: StoreError | undefined
  const gone = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      breakOff(`${file} has been closed`)
      resolve()
    })
  })
  worker.on('error', ({ message }) => breakOff(`${file} cannot be used: ${message}`))
  worker.on('message', (reply: Reply) => {
    const served = sent.shift() ?? []
    if (sent.length === 0) worker.unref()
    if (waiting.length > 0) later()
    if ('fault' in reply) {
      const { kind, message } = reply.fault
      for (const { reject } of served) reject(new StoreError(kind, message))
    } else for (const [index, { resolve }] of served.entries()) resolve(reply.answers[index] as never)
  })

  function breakOff(why: string): void {
    broken ??= new StoreError('failed', why)
    for (const { reject } of [...sent.flat(), ...waiting]) reject(broken)
    sent.length = 0
    waiting = []
  }

  /** What the same turn of the event loop asks, and what is asked while the disk is busy, goes together. */
  function later(): void {
    if (isDue || sent.length > 0) return
    isDue = true
    setImmediate(() => {
      isDue = false
      send()
    })
  }

  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
  const tell = (message: readonly Request[] | 'close'): void => worker.postMessage(message)

  function send(): void {
    if (waiting.length === 0) return
    worker.ref()
    tell(waiting.map(({ request }) => request))
    sent.push(waiting)
    waiting = []
  }

  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (broken) return reject(broken)
        waiting.push({ request, resolve, reject })
        later()
      }),
    close: () => {
      send()
      broken ??= new StoreError('failed', `${file} has been closed`)
      worker.ref()
      tell('close')
      return gone
    },
  }
}
