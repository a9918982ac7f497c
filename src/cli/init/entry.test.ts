import { expect, test } from 'vitest'
import { fingerprint, leadsToGateway } from './entry.ts'

test.each([
  [
    { command: 'a', args: [] },
    { type: 'stdio', command: 'a', env: {} },
  ],
  [{ url: 'http://h/mcp' }, { type: 'http', url: 'http://h/mcp', headers: {} }],
  [{ url: 'http://h/mcp' }, { httpUrl: 'http://h/mcp', timeout: 5 }],
  [{ url: 'http://h/mcp' }, { serverUrl: 'http://h/mcp', disabled: true }],
  [{ url: 'http://h/sse' }, { type: 'sse', url: 'http://h/sse' }],
  [
    { url: 'http://h', headers: { A: '1', B: '2' } },
    { headers: { b: '2', a: '1' }, url: 'http://h' },
  ],
])('%o is the same server as %o', (one, other) => {
  expect(fingerprint(one)).toBe(fingerprint(other))
})

test.each([
  [
    { command: 'a', args: ['x', 'y'] },
    { command: 'a', args: ['y', 'x'] },
  ],
  [
    { command: 'a', env: { T: '1' } },
    { command: 'a', env: { T: '2' } },
  ],
  [
    { command: 'a', env: { t: '1' } },
    { command: 'a', env: { T: '1' } },
  ],
  [{ url: 'http://h/mcp' }, { type: 'sse', url: 'http://h/mcp' }],
  [{ command: 'a', cwd: '/x' }, { command: 'a' }],
])('%o is another server than %o', (one, other) => {
  expect(fingerprint(one)).not.toBe(fingerprint(other))
})

test.each([
  { url: 'http://127.0.0.1:4483/mcp' },
  { serverUrl: 'http://localhost:4483/sse' },
  { httpUrl: 'http://[::1]:4483/mcp' },
  { command: 'npx', args: ['-y', 'mcp-remote', 'http://localhost:4483/mcp'] },
  { command: '/usr/local/bin/vmcp', args: ['serve', 'mcp.json', '--transport', 'stdio'] },
  { command: 'npx', args: ['vmcp', 'serve'] },
])('%o leads to the gateway', (definition) => {
  expect(leadsToGateway(definition)).toBe(true)
})

test.each([
  { url: 'http://127.0.0.1:8080/mcp' },
  { url: 'https://example.com:4483/mcp' },
  { url: 'not a url' },
  { command: 'vmcp-tools', args: ['serve'] },
  { command: 7, args: 'x' },
])('%o does not', (definition) => {
  expect(leadsToGateway(definition)).toBe(false)
})
