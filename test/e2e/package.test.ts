import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { connectHttp, connectStdio, textOf } from '../support/clients.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { copySources, installedIn, npm, ROOT, sizeOf } from '../support/npm.ts'
import { waitFor } from '../support/processes.ts'
import { ECHO_TOOL } from '../support/script.ts'

/** The direct dependencies. */
const NAMED = [
  '@cedar-policy/cedar-wasm',
  '@handlebars/parser',
  'ajv',
  'jose',
  'cross-spawn',
  'jsonc-parser',
  'oauth4webapi',
  'undici',
  'yaml',
  'zod',
]
/** Five of cross-spawn, four of ajv. */
const PULLED_IN = [
  'isexe',
  'path-key',
  'shebang-command',
  'shebang-regex',
  'which',
  'fast-deep-equal',
  'fast-uri',
  'json-schema-traverse',
  'require-from-string',
]

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

let folder: string
let home: string
let backend: HttpBackend
const bin = () => join(home, 'node_modules/.bin/vmcp')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vmcp-package-'))
  const sources = join(folder, 'sources')
  await copySources(sources)
  await npm(['pack', '--pack-destination', folder], sources)
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!
  home = join(folder, 'home')
  await mkdir(home)
  await writeFile(join(home, 'package.json'), '{"private":true}')
  const flags = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await npm(['install', join(folder, tarball), ...flags], home)

  backend = await startHttpBackend({ tools: [ECHO_TOOL] })
  const mcpServers = {
    remote: { url: backend.url },
    local: { command: process.execPath, args: [STDIO_BACKEND, '{}'] },
  }
  await writeFile(join(home, 'mcp.json'), JSON.stringify({ mcpServers }))
}, 180_000)

afterAll(async () => {
  await backend?.close()
  await rm(folder, { recursive: true })
})

test('the tarball holds the built code, the manifest, the licence and the readme, and nothing else', async () => {
  const installed = join(home, 'node_modules/vmcp')
  const entries = await readdir(installed, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => relative(installed, join(parentPath, name)))
  expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'dist/cli/main.js']))
  const strange = paths.filter((path) => !/^(?:LICENSE|README\.md|package\.json|dist\/.+\.(?:js|d\.ts))$/.test(path))
  expect(strange).toEqual([])
  expect(paths.filter((path) => path.includes('.test.'))).toEqual([])
  for (const path of paths) {
    const text = await readFile(join(installed, path), 'utf8')
    for (const machine of [ROOT, folder]) expect(text.includes(machine), `${path} names ${machine}`).toBe(false)
  }
})

test('it brings few packages', async () => {
  expect((await installedIn(home)).sort()).toEqual(['vmcp', ...NAMED, ...PULLED_IN].sort())
  const mebibytes = async (path: string) => `${((await sizeOf(path)) / 2 ** 20).toFixed(1)} MiB`
  const all = await mebibytes(join(home, 'node_modules'))
  const own = await mebibytes(join(home, 'node_modules/vmcp'))
  console.log(`installed: ${NAMED.length + PULLED_IN.length + 1} packages, ${all}, of which vmcp ${own}`)
})

test('the library can be imported', async () => {
  const script = "import('vmcp').then((library) => console.log(Object.keys(library).sort().join(' ')))"
  const { code, stdout } = await run([process.execPath, '-e', script])
  expect(code).toBe(0)
  expect(stdout).toContain('loadConfig')
})

test('version, validate, tools, call', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  expect(await run([bin(), 'version'])).toMatchObject({ code: 0, stdout: expect.stringContaining(version) })
  expect(await run([bin(), 'validate', 'mcp.json'])).toMatchObject({ code: 0 })
  const tools = await run([bin(), 'tools', 'mcp.json', '--json'])
  expect(tools).toMatchObject({ code: 0 })
  const { tools: rows } = JSON.parse(tools.stdout) as { tools: { name: string }[] }
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(['remote_echo', 'local_echo']))
  const called = await run([bin(), 'call', 'mcp.json', 'local_echo', '{"text":"hi"}'])
  expect(called).toMatchObject({ code: 0, stdout: expect.stringContaining('hi') })
})

test('serve', async () => {
  const child = spawn(bin(), ['serve', 'mcp.json', '--port', '0'], { cwd: home, env: environment() })
  try {
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    const url = await waitFor(() => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(stdout)?.[0], 10_000, 'an endpoint')
    for (const kind of ['SDK v1, legacy', 'SDK v2, modern'] as const) {
      const peer = await connectHttp(kind, url)
      expect(textOf(await peer.call({ name: 'remote_echo', arguments: { text: 'hi' } }))).toBe('hi')
      await peer.close()
    }
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  } finally {
    child.kill('SIGKILL')
  }
})

test('serve --transport stdio', async () => {
  const args = [bin(), 'serve', join(home, 'mcp.json'), '--transport', 'stdio']
  const peer = await connectStdio('SDK v2, modern', args)
  try {
    expect(textOf(await peer.call({ name: 'local_echo', arguments: { text: 'hi' } }))).toBe('hi')
  } finally {
    await peer.close()
  }
})

/** As on a machine that has this Node and nothing of the checkout. */
const environment = () => ({ ...process.env, PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, NO_COLOR: '1' })

async function run([command, ...args]: [string, ...string[]]): Promise<{
  code: unknown
  stdout: string
  stderr: string
}> {
  const child = spawn(command, args, { cwd: home, env: environment() })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as unknown[]
  return { code, stdout, stderr }
}
