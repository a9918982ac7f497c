import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { parseCommand } from '../../src/cli/args.ts'
import { initCommand } from '../../src/cli/commands/init.ts'
import { init } from '../../src/cli/init/init.ts'

let root: string
let cwd: string
let home: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vmcp-init-'))
  cwd = join(root, 'work')
  home = join(root, 'home')
  await mkdir(cwd)
  await mkdir(home)
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, content: unknown): Promise<string> {
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

interface Way {
  output?: string
  yes?: boolean
  /** What a person at a terminal types. `undefined`: there is no terminal. */
  answer?: string
}

async function run({ output = 'mcp.json', yes = false, answer }: Way = {}) {
  const text = (stream: PassThrough) => String(stream.read() ?? '')
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  if (answer !== undefined) stdin.end(answer)
  const around = { env: { HOME: home }, cwd, platform: 'linux' as const, stdout, stderr }
  const terminal = Object.assign(stdin, { isTTY: answer !== undefined })
  const code = await init({ output, yes }, { ...around, stdin: terminal })
  return { code, out: text(stdout), err: text(stderr) }
}

const written = async (name = 'mcp.json') => JSON.parse(await readFile(join(cwd, name), 'utf8')) as unknown

test('gathers the servers of every client into one file that vmcp serve accepts', async () => {
  await put('home/.config/Claude/claude_desktop_config.json', {
    mcpServers: { files: { command: 'npx', args: ['files'] } },
  })
  await put('home/.claude.json', {
    numStartups: 7,
    mcpServers: { user: { type: 'http', url: 'https://user.example/mcp' } },
    projects: {
      [cwd]: {
        mcpServers: { local: { command: 'local' }, quiet: { command: 'quiet' } },
        disabledMcpServers: ['quiet'],
      },
      '/elsewhere': { mcpServers: { other: { command: 'other' } } },
    },
  })
  await put('work/.mcp.json', { mcpServers: { shared: { command: 'shared', env: { TOKEN: 'hush-1' } } } })
  await put('home/.cursor/mcp.json', '{ "mcpServers": { // mine\n "files": {"args": ["files"], "command": "npx"}, }, }')
  await put('work/.vscode/mcp.json', {
    inputs: [],
    servers: {
      search: { type: 'sse', url: 'https://search.example/sse?key=hush-2' },
      files: { command: 'other-files' },
    },
  })
  await put('home/.codeium/windsurf/mcp_config.json', {
    mcpServers: {
      surf: { serverUrl: 'https://surf.example/mcp', headers: { Authorization: 'hush-3' }, disabled: true },
    },
  })
  await put('home/.config/zed/settings.json', {
    theme: 'One',
    context_servers: {
      zeal: { source: 'custom', command: 'zeal', args: ['--key', 'hush-4'] },
      ext: { source: 'extension' },
    },
  })
  await put('home/.gemini/settings.json', {
    mcpServers: { gem: { httpUrl: 'https://gem.example/mcp' }, vmcp: { url: 'http://localhost:4483/mcp' } },
  })

  const { code, out, err } = await run({ yes: true })

  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(await written()).toEqual({
    mcpServers: {
      'files-claude-desktop': { command: 'npx', args: ['files'] },
      'files-vscode': { command: 'other-files' },
      local: { command: 'local' },
      quiet: { command: 'quiet', disabled: true },
      shared: { command: 'shared', env: { TOKEN: 'hush-1' } },
      user: { type: 'http', url: 'https://user.example/mcp' },
      search: { type: 'sse', url: 'https://search.example/sse?key=hush-2' },
      surf: { serverUrl: 'https://surf.example/mcp', headers: { Authorization: 'hush-3' }, disabled: true },
      zeal: { command: 'zeal', args: ['--key', 'hush-4'] },
      gem: { httpUrl: 'https://gem.example/mcp' },
    },
  })
  expect(out).not.toContain('hush')
  for (const name of ['TOKEN', 'key=…', 'Authorization', '--key …', 'claude mcp add', 'vmcp serve mcp.json']) {
    expect(out).toContain(name)
  }
  expect(out).toMatch(/Claude Code +~\/\.claude\.json +3 servers/u)
  expect(out).toMatch(/ext +Zed +has neither a command nor a url/u)
  expect(out).toMatch(/vmcp +Gemini CLI +leads to vmcp itself/u)
  expect(out).toContain('[Claude Desktop, Cursor]')
  const { config, faults } = await loadConfig([join(cwd, 'mcp.json')])
  expect(faults.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(config?.backends).toHaveLength(10)
})

test('the file is for its owner only, and nothing else is left in the folder', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  await chmod(await put('work/mcp.json', '{}'), 0o644)
  await run({ yes: true })
  expect((await stat(join(cwd, 'mcp.json'))).mode & 0o777).toBe(0o600)
  expect(await readdir(cwd)).toEqual(['mcp.json'])
})

test.each([
  ['y\n', 0, true],
  ['YES\n', 0, true],
  ['n\n', 1, false],
  ['\n', 1, false],
  ['', 1, false],
])('at a terminal it asks, and %o ends with %i', async (answer, exitCode, writes) => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  const { code, out, err } = await run({ answer })
  expect(code).toBe(exitCode)
  // With standard output piped, the question goes where a person sees it.
  expect(out + err).toContain('Write ./mcp.json? [y/N] ')
  expect(await readdir(cwd)).toEqual(writes ? ['mcp.json'] : [])
})

test('without a terminal it shows what it would write, and writes only with --yes', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  const { code, out, err } = await run()
  expect(code).toBe(1)
  expect(out).toContain('./mcp.json will hold 1 server')
  expect(err).toContain('--yes')
  expect(await readdir(cwd)).toEqual([])
})

test('an existing file is extended: what only it holds stays, and the changes are shown', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a', env: { T: 'hush' } }, b: { command: 'b' } } })
  await put(
    'work/mcp.json',
    '{"$schema": "s", /* old */ "mcpServers": {"own": {"command": "own"}, "a": {"command": "a"}}}',
  )
  const { out } = await run({ yes: true })
  expect(out).toContain('1 added (+), 1 changed (~), 1 as before, 0 removed')
  expect(out).toContain('changes env')
  expect(out).toContain('comments in ./mcp.json will be lost')
  expect(out).not.toContain('hush')
  expect(await written()).toEqual({
    $schema: 's',
    mcpServers: { own: { command: 'own' }, a: { command: 'a', env: { T: 'hush' } }, b: { command: 'b' } },
  })
  const again = await run()
  expect(again.code).toBe(0)
  expect(again.out).toContain('nothing to write')
})

test('a file that changed while the question stood open is left alone', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const around = { env: { HOME: home }, cwd, platform: 'linux' as const, stdout, stderr }
  const ended = init({ output: 'mcp.json', yes: false }, { ...around, stdin: Object.assign(stdin, { isTTY: true }) })
  await once(stderr, 'readable')
  await put('work/mcp.json', { mcpServers: { b: { command: 'b' } } })
  stdin.end('y\n')
  await expect(ended).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining('has changed') as unknown })
  expect(await written()).toEqual({ mcpServers: { b: { command: 'b' } } })
})

test('a broken file is named and skipped, a broken entry left out', async () => {
  await put('home/.cursor/mcp.json', '{ "mcpServers": { "hush": ')
  await put('home/.gemini/settings.json', {
    mcpServers: { good: { command: 'g' }, bad: { url: 'ftp://u:hush@h' }, none: 7, ['__proto__']: { command: 'p' } },
  })
  await mkdir(join(home, '.claude.json'))
  const { code, out } = await run({ yes: true })
  expect(code).toBe(0)
  expect(out).toMatch(/Cursor +~\/\.cursor\/mcp\.json +skipped: 1:\d+ broken JSON/u)
  expect(out).toMatch(/Claude Code +~\/\.claude\.json +skipped: not a file/u)
  expect(out).toMatch(/bad +Gemini CLI +not understood: url/u)
  expect(out).toMatch(/none +Gemini CLI +does not describe a server/u)
  expect(out).not.toContain('hush')
  expect(await written()).toEqual({ mcpServers: { good: { command: 'g' } } })
})

test('what has no effect in vmcp, and what cannot start, is told before it is written', async () => {
  await put('home/.cursor/mcp.json', {
    mcpServers: { a: { command: 'a', autoApprove: ['x'] }, b: { command: 'b', env: { K: '${NOT_SET_HERE}' } } },
  })
  const { out } = await run()
  expect(out).toMatch(/without effect in vmcp:\n +a +autoApprove/u)
  expect(out).toContain('cannot start as they stand: b; vmcp validate says why')
})

test('- prints the file, and nothing but the file, to standard output', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  const { code, out, err } = await run({ output: '-' })
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({ mcpServers: { a: { command: 'a' } } })
  expect(err).toContain('~/.cursor/mcp.json')
  expect(await readdir(cwd)).toEqual([])
})

test('with nothing to gather it says where it looked and shows an example', async () => {
  const { code, out, err } = await run({ yes: true })
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toContain('~/.cursor/mcp.json')
  expect(err).toContain('./.vscode/mcp.json')
  expect(err).toContain('"mcpServers"')
  expect(await readdir(cwd)).toEqual([])
})

test('a file of a client is never written, not even through a link', async () => {
  const cursor = await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  await put('work/.mcp.json', { mcpServers: { b: { command: 'b' } } })
  await symlink(cursor, join(cwd, 'mcp.json'))
  await expect(run({ yes: true })).rejects.toMatchObject({ exitCode: 2 })
  await expect(run({ yes: true, output: '.mcp.json' })).rejects.toMatchObject({ exitCode: 2 })
  await expect(run({ yes: true, output: '.gemini/settings.json' })).rejects.toMatchObject({ exitCode: 2 })
  expect(JSON.parse(await readFile(cursor, 'utf8'))).toEqual({ mcpServers: { a: { command: 'a' } } })
})

test.each([
  ['{ broken', /cannot be extended/u],
  ['{"backends": []}', /holds something else/u],
  ['{"mcpServers": []}', /not a map/u],
  ['{"mcpServers": {"a": 1}}', /does not describe a server/u],
])('an output that holds %s is left alone', async (text, message) => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  const file = await put('work/mcp.json', text)
  await expect(run({ yes: true })).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(message) as unknown,
  })
  expect(await readFile(file, 'utf8')).toBe(text)
})

test('a folder that is not there is named', async () => {
  await put('home/.cursor/mcp.json', { mcpServers: { a: { command: 'a' } } })
  await expect(run({ yes: true, output: 'no/such/mcp.json' })).rejects.toMatchObject({ exitCode: 1 })
})

test('the command takes no argument and a named output', async () => {
  const go = (...argv: string[]) => initCommand.run(parseCommand(initCommand, argv))
  await expect(go('extra.json')).rejects.toMatchObject({ exitCode: 2 })
  await expect(go('--output', '')).rejects.toMatchObject({ exitCode: 2 })
  expect(parseCommand(initCommand, ['-y', '-o', '-']).text('output')).toBe('-')
})
