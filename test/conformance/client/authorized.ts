import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Client } from '@modelcontextprotocol/client'

import { textOf } from '../../support/clients.ts'
import { Browser } from '../../support/http-browser.ts'
import { type Plan, PLANS } from './plans.ts'
import { type Order, withClient } from './session.ts'

/** What the suite's tool answers. */
const ANSWER = 'test'

/** The user is more patient than the gateway may be. */
const CALLS = 5

/** What a user has seen. */
interface Seen {
  /** Of the last call. */
  answer: string
  /** How the pages ended to which the gateway has sent him. */
  pages: number[]
}

/** The user calls the suite's tool, signs in when asked, and calls again. Throws when it ends otherwise than planned. */
export async function runAuthorized(order: Order): Promise<void> {
  const plan = PLANS[order.plan]
  if (!plan) throw new Error(`no client for ${order.plan}`)
  const folder = await mkdtemp(join(tmpdir(), 'vmcp-conformance-client-'))
  try {
    const seen: Seen = { answer: '', pages: [] }
    const { publicOrigin, config, ...session } = await plan.session(order, folder)
    const prepare = (client: Client, gateway: URL): void => {
      const browser = new Browser('local', (url) => (url.origin === publicOrigin ? moved(url, gateway) : url))
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        if (!('url' in params)) throw new Error('the user is asked for something else than a visit')
        const { status } = await browser.open(params.url)
        seen.pages.push(status)
        return { action: status === 200 ? 'accept' : 'decline' }
      })
    }
    const whole = { ...config, ...(publicOrigin !== undefined && { publicUrl: `${publicOrigin}/mcp` }) }
    const capabilities = { elicitation: { url: {} } }
    await withClient(order, { capabilities, prepare, config: whole, ...session }, async (client) => {
      for (let call = 1; call <= CALLS && seen.answer !== ANSWER; call++) seen.answer = await answerTo(client)
    })
    if (!isAsPlanned(plan, seen)) throw new Error(`it ended otherwise than planned: ${JSON.stringify(seen)}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function isAsPlanned({ ends }: Plan, { answer, pages }: Seen): boolean {
  if (ends === 'served') return answer === ANSWER && pages.every((status) => status === 200)
  const failed = ends === 'refused' ? pages.every((status) => status >= 400) : pages.every((status) => status === 200)
  return answer !== ANSWER && pages.length > 0 && failed
}

async function answerTo(client: Client): Promise<string> {
  try {
    return textOf(await client.callTool({ name: 'test-tool', arguments: {} }))
  } catch (error) {
    return String(error)
  }
}

const moved = ({ pathname, search }: URL, gateway: URL): URL => new URL(pathname + search, gateway)
