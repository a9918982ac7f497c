import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFault } from '../format.ts'
import { loadConfig } from '../load.ts'

const sample = (name: string) => loadConfig([join(import.meta.dirname, '../testdata/clients', name)], { env: {} })
const load = (text: string) => loadConfig(['-'], { stdin: text, env: {} })

test.each([
  [
    'claude-desktop.json',
    [
      {
        id: 'filesystem',
        endpoint: { kind: 'stdio', command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', './notes'] },
      },
      { id: 'weather', endpoint: { kind: 'http', url: 'https://weather.example/mcp' } },
    ],
    ['globalShortcut'],
  ],
  [
    'cursor.json',
    [
      { id: 'memory', disabled: true, endpoint: { kind: 'stdio' } },
      { id: 'legacy', endpoint: { kind: 'sse', url: 'http://127.0.0.1:9001/sse' } },
    ],
    ['mcpServers.memory.alwaysAllow'],
  ],
  [
    'windsurf.json',
    [
      { id: 'figma', endpoint: { kind: 'http', url: 'https://figma.example/mcp' } },
      { id: 'gemini-style', endpoint: { kind: 'http', url: 'https://tools.example/mcp' } },
    ],
    ['mcpServers.gemini-style.timeout'],
  ],
  [
    'vscode.json',
    [
      { id: 'perplexity', fault: { message: expect.stringContaining('${input:perplexity-key}') } },
      { id: 'fetch', endpoint: { kind: 'stdio', command: 'uvx' } },
      { id: 'events', endpoint: { kind: 'sse', url: 'https://events.example/stream' } },
    ],
    ['servers.perplexity.env.PERPLEXITY_API_KEY'],
  ],
  ['vscode-settings.json', [{ id: 'time', endpoint: { kind: 'stdio', command: 'python' } }], []],
  [
    'zed.json',
    [
      { id: 'postgres', endpoint: { kind: 'stdio', command: 'npx', args: ['-y', 'server-postgres'] } },
      { id: 'flat', disabled: true },
    ],
    [],
  ],
])('%s is read as it is', async (name, backends, faultPaths) => {
  const { config, faults } = await sample(name)
  expect(config?.backends).toMatchObject(backends)
  expect(faults.map((fault) => fault.path)).toEqual(faultPaths)
})

test('numbers in env count as written', async () => {
  const { config } = await sample('claude-desktop.json')
  const endpoint = config?.backends[0]?.endpoint
  expect(endpoint?.kind === 'stdio' && endpoint.env['PORT']?.reveal()).toBe('8080')
})

test('comments and trailing commas are read', async () => {
  const { config, faults } = await load('{ // c\n "mcpServers": { "a": { "command": "x", "args": ["y",], }, }, }')
  expect(faults).toEqual([])
  expect(config?.backends).toHaveLength(1)
})

test.each([
  [
    '{"mcpServers": {"a": {"comand": "x"}}}',
    [
      'error 1:17 mcpServers.a: the backend "a" has neither',
      'warning 1:23 mcpServers.a.comand: unknown key "comand" is ignored (did you mean "command"?)',
    ],
  ],
  [
    '{"mcpServers": {"a": {"command": "x", "args": "y"}}}',
    ['error 1:47 mcpServers.a.args: expected a list, found "y"'],
  ],
  ['{"mcpServers": {"a": {"url": "http://h/", "command": "x"}}}', ['has both url and command']],
  ['{"mcpServers": {"a": {"url": "http://h/", "serverUrl": "http://i/"}}}', ['a second URL for the same server']],
  ['{"mcpServers": {"a": {"type": "http", "command": "x"}}}', ['a command talks over stdio, not over streamable-http']],
  [
    '{"mcpServers": {"a": {"type": "ws", "url": "http://h/"}}}',
    ['error 1:31 mcpServers.a.type: backend "a": the transport "ws" is not one of'],
  ],
  ['{"mcpServers": {"a": "x"}}', ['expected a map that describes a server']],
  ['{"mcpServers": {"__proto__": {"command": "x"}}}', ['the key "__proto__" is not allowed']],
  ['{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}', ['duplicate key "a" (it stands at 1:17 already)']],
])('%s', async (text, expected) => {
  const { faults } = await load(text)
  const lines = faults.map((fault) => `${fault.severity} ${formatFault(fault).replace('<stdin>:', '')}`)
  expect(lines).toHaveLength(expected.length)
  for (const [index, part] of expected.entries()) expect(lines[index]).toContain(part)
})

test('headers that a client writes itself are left out with a warning', async () => {
  const server = '{"url": "https://a/", "headers": {"Accept": "a/b", "mcp-session-id": "x", "Authorization": "b"}}'
  const { config, faults } = await load(`{"mcpServers": {"a": ${server}}}`)
  const endpoint = config?.backends[0]?.endpoint
  expect(endpoint?.kind === 'http' && Object.keys(endpoint.headers)).toEqual(['Authorization'])
  expect(faults.map((fault) => [fault.severity, formatFault(fault)])).toEqual([
    [
      'warning',
      '<stdin>:1:56 mcpServers.a.headers.Accept: the header "Accept" belongs to the protocol: the gateway writes it itself; it is ignored (leave it out)',
    ],
    ['warning', expect.stringContaining('"mcp-session-id" belongs to the protocol')],
  ])
})
