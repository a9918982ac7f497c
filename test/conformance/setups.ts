import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import type { JsonObject } from '../../src/model/json.ts'
import { startCommandLine } from '../support/command-line.ts'
import type { View } from './fixture/door.ts'

const FIXTURE = fileURLToPath(new URL('fixture/main.ts', import.meta.url))
const EVERYTHING = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json')),
  'dist/index.js',
)

/** Something with an endpoint that the suite can be pointed at. */
export interface Target {
  url: string
  end(): Promise<void>
}

/** The fixture alone, in a process of its own. */
export async function startFixture(view: View): Promise<Target> {
  // The fixture ends when its stdin closes, also when this process dies without a word.
  const child = spawn(process.execPath, [FIXTURE, '--view', view], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const url = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => String(line)),
    ended.then(() => Promise.reject(new Error('the fixture ended at its start'))),
  ])
  return {
    url,
    async end() {
      child.stdin.end()
      await ended
    },
  }
}

/** The gateway, as a command, in front of the fixture; `merged` adds a second backend over stdio. */
export async function startGatewayBefore(view: View, merged: boolean): Promise<Target> {
  const fixture = await startFixture(view)
  const folder = await mkdtemp(join(tmpdir(), 'vmcp-conformance-gateway-'))
  const file = join(folder, 'vmcp.json')
  await writeFile(file, JSON.stringify(configuration(fixture.url, merged)))
  const gateway = startCommandLine(['serve', '--config', file, '--port', '0'])
  const end = async () => {
    await gateway.end()
    await fixture.end()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const url = await gateway.url()
    return { url: url.replace('127.0.0.1', 'localhost'), end }
  } catch (error) {
    await end()
    throw error
  }
}

function configuration(url: string, merged: boolean): JsonObject {
  const fixture = { name: 'fixture', url, transport: 'streamable-http' }
  if (!merged) return { name: 'conformance', backends: [fixture] }
  const everything = { name: 'everything', command: process.execPath, args: [EVERYTHING, 'stdio'] }
  return { name: 'conformance', backends: [fixture, everything], aggregation: { onlyOnConflict: true } }
}
