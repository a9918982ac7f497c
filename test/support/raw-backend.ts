/**
 * A server that answers `tools/call` with the very bytes of the arguments, of either era, as a function and as a
 * process: `node test/support/raw-backend.ts legacy`. It offers one tool, `raw`.
 */
import { createInterface } from 'node:readline'

import type { Era } from '../../src/model/backend.ts'
import { LEGACY, META, MODERN } from './script.ts'

/** A number that JavaScript cannot hold, in the schema of the tool. */
export const MAXIMUM = '18446744073709551615'

/** The response to one message as text; undefined for a notification. */
export function answerRaw(text: string, era: Era): string | undefined {
  const { id, method, params } = JSON.parse(text) as { id?: number; method: string; params?: object }
  if (id === undefined) return undefined
  const modern = JSON.stringify(params ?? {}).includes(META.version)
  const reply = (member: string) => `{"jsonrpc":"2.0","id":${id},${member}}`
  if (modern !== (era === 'modern')) return reply('"error":{"code":-32601,"message":"Method not found"}')
  const extra = modern ? '"resultType":"complete","ttlMs":0,"cacheScope":"private",' : ''
  switch (method) {
    case 'initialize':
    case 'server/discover': {
      const speaks = modern ? `"supportedVersions":["${MODERN}"]` : `"protocolVersion":"${LEGACY[0]}"`
      return reply(`"result":{${extra}${speaks},"capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}`)
    }
    case 'tools/list': {
      const schema = `{"type":"object","properties":{"n":{"maximum":${MAXIMUM}}}}`
      return reply(`"result":{${extra}"tools":[{"name":"raw","inputSchema":${schema}}]}`)
    }
    default:
      return reply(`"result":{${extra}"content":[],"structuredContent":${argumentsOf(text)}}`)
  }
}

/** The text of `arguments`; tests write no braces inside strings. */
function argumentsOf(text: string): string {
  const start = text.indexOf('"arguments":') + '"arguments":'.length
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}' && --depth === 0) return text.slice(start, at + 1)
  }
  throw new Error('the request has no arguments')
}

if (import.meta.main) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const answer = answerRaw(line, process.argv[2] as Era)
    if (answer !== undefined) process.stdout.write(`${answer}\n`)
  })
}
