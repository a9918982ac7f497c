import { expect, test } from 'vitest'
import { address, commandLine, describe } from './describe.ts'

test.each([
  ['https://h.example/mcp?api_key=abc&b=c#frag', 'https://h.example/mcp?api_key=…&b=…'],
  ['https://user:p@ss@h.example/mcp', 'https://…@h.example/mcp'],
  ['https://h.example/mcp?tokenwithoutname', 'https://h.example/mcp?…'],
  ['https://h.example/s/0a1b2c3d4e5f6a7b8c9d0e1f/mcp', 'https://h.example/s/…/mcp'],
  ['${BASE:-https}/mcp', '${BASE:-…}/mcp'],
  ['https://h.example/${TENANT}/mcp?k=${KEY}', 'https://h.example/${TENANT}/mcp?k=…'],
])('%s is shown as %s', (url, shown) => {
  expect(address(url)).toBe(shown)
})

test.each([
  [['npx', '-y', '@scope/server-files@2026.8.31', './notes'], 'npx -y @scope/server-files@2026.8.31 ./notes'],
  [['server', '--api-key', 'abc', 'x'], 'server --api-key … x'],
  [['server', '--api-key=abc'], 'server --api-key=…'],
  [
    ['docker', 'run', '-i', '--rm', '-e', 'TOKEN', '-e', 'KEY=abc', 'img:1'],
    'docker run -i --rm -e TOKEN -e KEY=… img:1',
  ],
  [
    ['mcp-remote', 'https://h/mcp?k=abc', '--header', 'Authorization: Bearer abc'],
    'mcp-remote https://h/mcp?k=… --header …',
  ],
  [['pg', 'postgresql://u:abc@db/x'], 'pg postgresql://…@db/x'],
  [['server', 'ghp_0123456789abcdefghij'], 'server …'],
  [['server', '-pabc'], 'server …'],
  [['sh', '-c', 'KEY=abc exec server --token abc'], 'sh -c KEY=… exec server --token …'],
  [['sh', '-c', `curl -H "Authorization: Bearer abc d" x`], 'sh -c curl -H … x'],
  [['server', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'], 'server …'],
  [['server', '{"token":"abc"}'], 'server …'],
])('%o is shown as %s', ([command, ...args], shown) => {
  expect(commandLine(command, args)).toBe(shown)
})

test('of env and headers only the names are shown', () => {
  expect(describe({ command: 'a', env: { TOKEN: 's3cret' } })).toBe('a (env TOKEN)')
  expect(describe({ url: 'http://h/mcp', headers: { Authorization: 's3cret' } })).toBe(
    'http://h/mcp (headers Authorization)',
  )
})

test('control characters of a definition do not reach the terminal', () => {
  expect(describe({ command: 'a', env: { 'B\u001b[2J': '' } })).toBe('a (env B [2J)')
})
