import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import { runAuthorized } from './authorized.ts'
import { DRIVES, runPlain } from './scenarios.ts'
import type { Order } from './session.ts'

/** Orders come all at once; gateways that start side by side would only make each other late. */
const AT_ONCE = 4
const LIMIT_MS = 25_000

/** What the driver says of an order that went as planned. */
export const DONE = 'done'

export interface Driver {
  url: string
  close(): void
}

/** Takes the orders of wrappers, each of which gets a gateway of its own. */
export async function startDriver(): Promise<Driver> {
  let running = 0
  const waiting: (() => void)[] = []

  async function inTurn(order: Order): Promise<void> {
    if (running === AT_ONCE) await new Promise<void>((resolve) => void waiting.push(resolve))
    else running++
    try {
      await inTime(drive(order))
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }

  const server = createServer((request, response) => {
    text(request)
      .then((body) => inTurn(JSON.parse(body) as Order))
      .then(
        () => response.end(DONE),
        (error: Error) => response.writeHead(500).end(error.stack ?? error.message),
      )
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function drive(order: Order): Promise<void> {
  const plain = DRIVES[order.plan]?.find(({ revision }) => revision === order.revision)
  await (plain ? runPlain(plain, order) : runAuthorized(order))
}

async function inTime(work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('the scenario took too long')), LIMIT_MS)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
