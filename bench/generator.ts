import { fileURLToPath } from 'node:url'

import type { IdleOrder, OpenOrder, Order, RunOrder, RunResult } from './load.ts'
import { startWorker } from './processes.ts'

/** The load generator's near side: one order at a time. */
export interface Generator {
  open(order: Omit<OpenOrder, 'op'>): Promise<void>
  /** @throws when an answer was wrong or missing: figures of a broken target mean nothing. */
  run(order: Omit<RunOrder, 'op'>): Promise<RunResult>
  idle(order: Omit<IdleOrder, 'op'>): Promise<void>
  close(name: string): Promise<void>
  stop: () => Promise<void>
}

export function startGenerator(): Generator {
  const { child, stop } = startWorker(fileURLToPath(new URL('load.ts', import.meta.url)))
  const give = (order: Order): Promise<RunResult | null> =>
    new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('the load generator died'))
      child.once('exit', onExit)
      child.once('message', (reply: { value?: RunResult | null; error?: string }) => {
        child.off('exit', onExit)
        if (reply.error === undefined) resolve(reply.value ?? null)
        else reject(new Error(reply.error))
      })
      child.send(order)
    })
  return {
    async open(order) {
      await give({ op: 'open', ...order })
    },
    async run(order) {
      const result = await give({ op: 'run', ...order })
      if (!result) throw new Error('the load generator gave no figures')
      if (result.errors > 0) {
        throw new Error(`${order.name}: ${result.errors} wrong of ${result.calls}: ${result.firstError}`)
      }
      return result
    },
    async idle(order) {
      await give({ op: 'idle', ...order })
    },
    async close(name) {
      await give({ op: 'close', name })
    },
    stop,
  }
}
