import { expect, test } from 'vitest'
import { locations, type Machine } from './clients.ts'

const filesOn = (machine: Machine, id: string): string[] => [
  ...new Set(
    locations(machine)
      .filter(({ client }) => client.id === id)
      .map(({ file }) => file),
  ),
]

const linux: Machine = { env: { HOME: '/h' }, cwd: '/w', platform: 'linux' }
const mac: Machine = { ...linux, platform: 'darwin' }
const windows: Machine = { env: { USERPROFILE: '/u', APPDATA: '/u/Roaming' }, cwd: 'C:\\w', platform: 'win32' }

test.each([
  ['claude-desktop', linux, ['/h/.config/Claude/claude_desktop_config.json']],
  ['claude-desktop', mac, ['/h/Library/Application Support/Claude/claude_desktop_config.json']],
  ['claude-desktop', windows, ['/u/Roaming/Claude/claude_desktop_config.json']],
  ['claude-code', linux, ['/h/.claude.json', '/w/.mcp.json']],
  ['cursor', linux, ['/w/.cursor/mcp.json', '/h/.cursor/mcp.json']],
  ['vscode', linux, ['/w/.vscode/mcp.json', '/h/.config/Code/User/mcp.json']],
  ['vscode', mac, ['/w/.vscode/mcp.json', '/h/Library/Application Support/Code/User/mcp.json']],
  ['windsurf', linux, ['/h/.codeium/windsurf/mcp_config.json']],
  ['zed', linux, ['/w/.zed/settings.json', '/h/.config/zed/settings.json']],
  ['zed', mac, ['/w/.zed/settings.json', '/h/.config/zed/settings.json']],
  ['gemini', linux, ['/w/.gemini/settings.json', '/h/.gemini/settings.json']],
] as const)('%s keeps its servers where it says on %o', (id, machine, files) => {
  expect(filesOn(machine, id)).toEqual(files)
})

test('XDG_CONFIG_HOME moves the configuration folder on Linux, unless it is relative', () => {
  const at = (folder: string) => filesOn({ ...linux, env: { HOME: '/h', XDG_CONFIG_HOME: folder } }, 'claude-desktop')
  expect(at('/x')).toEqual(['/x/Claude/claude_desktop_config.json'])
  expect(at('x')).toEqual(['/h/.config/Claude/claude_desktop_config.json'])
})

test('without a home folder only the working folder is looked at', () => {
  const files = locations({ ...linux, env: {} }).map(({ file }) => file)
  expect(files.length).toBeGreaterThan(0)
  expect(files.every((file) => file.startsWith('/w/'))).toBe(true)
})

test('in the home folder no place is named twice', () => {
  const places = locations({ ...linux, cwd: '/h' }).map(({ file, servers }) => `${file} ${servers.join('.')}`)
  expect(new Set(places).size).toBe(places.length)
})

test('Claude Code notes the working folder of Windows with either slash', () => {
  const keys = locations(windows)
    .filter(({ servers }) => servers[0] === 'projects')
    .map(({ servers }) => servers[1])
  expect(keys).toEqual(['C:\\w', 'C:/w'])
})
