import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, expect, test } from 'vitest'

import { startCommandLine } from '../../support/command-line.ts'
import { startHttpBackend } from '../../support/http-backend.ts'
import { waitFor } from '../../support/processes.ts'
import { modernClient } from '../../support/raw-client.ts'
import { ECHO_TOOL } from '../../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vmcp-references-'))
  open.push(() => rmSync(path, { recursive: true }))
  return path
}

test.each(['--watch', 'SIGHUP'] as const)('a header from a variable and a file follows the file: %s', async (how) => {
  const backend = await startHttpBackend({ era: 'modern', tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  const path = folder()
  const key = join(path, 'key')
  writeFileSync(key, 'first\n')
  const headerInjection = { headerName: 'X-Key', headerValue: '${WHO} ${file:./key}' }
  const config = {
    backends: [{ name: 'one', url: backend.url }],
    outgoingAuth: { default: { type: 'header_injection', headerInjection } },
  }
  writeFileSync(join(path, 'vmcp.yaml'), JSON.stringify(config))
  const more = how === 'SIGHUP' ? [] : [how]
  const line = startCommandLine(['serve', join(path, 'vmcp.yaml'), '--port', '0', ...more], { WHO: 'me' })
  open.push(() => line.end())
  const client = await modernClient(await line.url())
  open.push(() => client.close())
  const shown = async () => {
    await client.tool('echo', { text: 'x' })
    return backend.requests.findLast(({ method }) => method === 'tools/call')?.headers['x-key']
  }
  expect(await shown()).toBe('me first')
  writeFileSync(key, 'second\n')
  if (how === 'SIGHUP') line.signal(how)
  await waitFor(async () => (await shown()) === 'me second', 5000, 'the second key')
})

test('what validate refuses serve refuses in the same words', async () => {
  const path = folder()
  const file = join(path, 'vmcp.yaml')
  writeFileSync(
    file,
    `backends: []
publicUrl: https://gw/#x
tls: {certFile: gone, keyFile: gone}
incomingAuth: {type: oidc, oidc: {issuer: "http://id", audience: v, caBundlePath: /gone}}
outgoingAuth: {default: {type: header_injection, headerInjection: {headerName: Mcp-Name, headerValue: x}}}
`,
  )
  const run = async (command: string) => {
    const line = startCommandLine([command, file])
    open.push(() => line.end())
    const code = await line.exited
    const told = `${line.stdout()}${line.stderr()}`.split('\n').filter((text) => text.includes(file))
    return { code, told: told.map((text) => text.trim()) }
  }
  const validated = await run('validate')
  expect([validated.code, validated.told.length]).toEqual([3, 6])
  expect(await run('serve')).toEqual(validated)
})
