import { isMainThread, parentPort, workerData } from 'node:worker_threads'

import { StoreError, type StoreFault } from '../store-error.ts'
import type { Database } from './database.ts'
import type { Answers, Request } from './rows.ts'

/** One message to the thread is one transaction; the first opens the file, and an empty one closes it. */
export type Reply =
  | { readonly answers: Answers[Request['do']][] }
  | { readonly fault: { readonly kind: StoreFault; readonly message: string } }

/** The thread that waits for the disk, so that nobody else has to. */
export const WORKER = new URL(import.meta.url)

if (!isMainThread && parentPort) await serve(parentPort, (workerData as { file: string }).file)

async function serve(port: NonNullable<typeof parentPort>, file: string): Promise<void> {
  // Whoever only starts this thread has no need of it, and would be told that it is new in this version of Node.
  const { openDatabase } = await import('./database.ts')
  let database: Database | undefined
  port.on('message', (requests: readonly Request[] | 'close') => {
    if (requests === 'close') {
      database?.close()
      port.close()
      return
    }
    port.postMessage(attempt(() => ({ answers: (database ??= openDatabase(file)).perform(requests) })))
  })
}

function attempt(work: () => Reply): Reply {
  try {
    return work()
  } catch (error) {
    if (error instanceof StoreError) return { fault: { kind: error.kind, message: error.message } }
    return { fault: { kind: 'failed', message: error instanceof Error ? error.message : String(error) } }
  }
}
