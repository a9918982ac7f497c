import type { Reply } from '../../backends/leg.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

/** A server that hands out cursors for ever must not keep us for ever. */
const MAX_PAGES = 100

/** What one backend lists. `last`: the result of the last page; `undefined`: it did not answer at all. */
export interface Pages {
  items: JsonObject[]
  last: JsonObject | undefined
}

/** All pages of a list, as far as they can be had; it throws only the reason of a cancelled request. */
export async function fetchPages(member: string, fetch: (params: JsonObject) => Promise<Reply>): Promise<Pages> {
  const pages: Pages = { items: [], last: undefined }
  const seen = new Set<string>()
  try {
    let params: JsonObject = {}
    for (let page = 0; page < MAX_PAGES; page++) {
      const reply = await fetch(params)
      if (reply.kind === 'stream') break
      pages.last = reply.value
      const items = reply.value[member]
      if (Array.isArray(items)) for (const item of items) if (isObject(item)) pages.items.push(item)
      const cursor = reply.value['nextCursor']
      if (typeof cursor !== 'string' || seen.has(cursor)) break
      seen.add(cursor)
      params = { cursor }
    }
  } catch (error) {
    const cancelled =
      error instanceof GatewayError && (error.code === 'CANCELLED' || error.code === 'DEADLINE_EXCEEDED')
    if (cancelled || !(error instanceof GatewayError)) throw error
  }
  return pages
}
