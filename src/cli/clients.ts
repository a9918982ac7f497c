import { join } from 'node:path'

/** The machine as `vmcp init` sees it; tests point it elsewhere. */
export interface Machine {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  platform: NodeJS.Platform
}

/** A folder at which the path of a place begins. */
type Base = 'home' | 'apps' | 'config' | 'cwd'

interface Place {
  base: Base
  path: string
  /** Keys that lead to the map of servers. `CWD` stands for the working folder. */
  servers: readonly string[]
}

export interface Client {
  /** Suffix of names that several clients use for different servers. */
  id: string
  title: string
  /** How entries are written, where it is not as in `mcpServers`. */
  shape?: 'vscode' | 'zed'
  /** In the client's own precedence: where a name stands twice, the earlier place counts. */
  places: readonly Place[]
  /** Keys that lead to lists of names that are switched off, in any of the client's files. */
  off?: readonly (readonly string[])[]
}

const CWD = '{cwd}'

/** Where clients keep their MCP servers. Paths use `/` on every platform. */
export const CLIENTS: readonly Client[] = [
  {
    id: 'claude-desktop',
    title: 'Claude Desktop',
    places: [{ base: 'apps', path: 'Claude/claude_desktop_config.json', servers: ['mcpServers'] }],
  },
  {
    id: 'claude-code',
    title: 'Claude Code',
    places: [
      { base: 'home', path: '.claude.json', servers: ['projects', CWD, 'mcpServers'] },
      { base: 'cwd', path: '.mcp.json', servers: ['mcpServers'] },
      { base: 'home', path: '.claude.json', servers: ['mcpServers'] },
    ],
    off: [
      ['projects', CWD, 'disabledMcpServers'],
      ['projects', CWD, 'disabledMcpjsonServers'],
    ],
  },
  {
    id: 'cursor',
    title: 'Cursor',
    places: [
      { base: 'cwd', path: '.cursor/mcp.json', servers: ['mcpServers'] },
      { base: 'home', path: '.cursor/mcp.json', servers: ['mcpServers'] },
    ],
  },
  {
    id: 'vscode',
    title: 'VS Code',
    shape: 'vscode',
    places: [
      { base: 'cwd', path: '.vscode/mcp.json', servers: ['servers'] },
      { base: 'apps', path: 'Code/User/mcp.json', servers: ['servers'] },
    ],
  },
  {
    id: 'windsurf',
    title: 'Windsurf',
    places: [{ base: 'home', path: '.codeium/windsurf/mcp_config.json', servers: ['mcpServers'] }],
  },
  {
    id: 'zed',
    title: 'Zed',
    shape: 'zed',
    places: [
      { base: 'cwd', path: '.zed/settings.json', servers: ['context_servers'] },
      { base: 'config', path: 'zed/settings.json', servers: ['context_servers'] },
    ],
  },
  {
    id: 'gemini',
    title: 'Gemini CLI',
    places: [
      { base: 'cwd', path: '.gemini/settings.json', servers: ['mcpServers'] },
      { base: 'home', path: '.gemini/settings.json', servers: ['mcpServers'] },
    ],
    off: [['mcp', 'excluded']],
  },
]

/** One place on this machine where a client may keep servers. */
export interface Location {
  client: Client
  file: string
  servers: readonly string[]
  off: readonly (readonly string[])[]
}

/** Every place to look at, in the order of the table. Places whose base folder is not known are not in it. */
export function locations(machine: Machine): Location[] {
  const bases = basesOf(machine)
  const seen = new Set<string>()
  return CLIENTS.flatMap((client) =>
    client.places.flatMap(({ base, path, servers }) => {
      const folder = bases[base]
      if (folder === undefined) return []
      const file = join(folder, path)
      return inFolder(servers, machine).flatMap((keys) => {
        // In the home folder, a client's own file is the folder's file too.
        const id = JSON.stringify([client.id, file, keys])
        if (seen.has(id)) return []
        seen.add(id)
        const off = (client.off ?? []).flatMap((list) => inFolder(list, machine))
        return [{ client, file, servers: keys, off }]
      })
    }),
  )
}

/** The home folder, when the environment names it. */
export function homeOf({ env, platform }: Machine): string | undefined {
  return (platform === 'win32' ? env['USERPROFILE'] : undefined) || env['HOME'] || undefined
}

function basesOf(machine: Machine): Record<Base, string | undefined> {
  const { env, cwd, platform } = machine
  const home = homeOf(machine)
  const below = (path: string) => (home === undefined ? undefined : join(home, path))
  if (platform === 'win32') {
    const roaming = env['APPDATA'] || below('AppData/Roaming')
    return { home, cwd, apps: roaming, config: roaming }
  }
  if (platform === 'darwin') return { home, cwd, apps: below('Library/Application Support'), config: below('.config') }
  // A relative path counts as not set (XDG Base Directory Specification).
  const xdg = env['XDG_CONFIG_HOME']?.startsWith('/') ? env['XDG_CONFIG_HOME'] : below('.config')
  return { home, cwd, apps: xdg, config: xdg }
}

/** Windows clients write the working folder with either slash. */
function inFolder(keys: readonly string[], { cwd, platform }: Machine): string[][] {
  if (!keys.includes(CWD)) return [[...keys]]
  const spellings = platform === 'win32' ? new Set([cwd, cwd.replaceAll('\\', '/')]) : [cwd]
  return [...spellings].map((folder) => keys.map((key) => (key === CWD ? folder : key)))
}
