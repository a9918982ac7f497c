import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterEach, expect, test } from 'vitest'

import { connectHttp, textOf } from '../support/clients.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { copySources, npm, ROOT } from '../support/npm.ts'
import { waitFor } from '../support/processes.ts'
import { ECHO_TOOL } from '../support/script.ts'

const SCRIPT = fileURLToPath(new URL('../support/read-only-root.sh', import.meta.url))

/** Why this machine cannot make such a root; undefined when it can. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'mount namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'mounting needs root'
  for (const tool of ['setpriv', 'chroot', 'mount']) {
    if (spawnSync(tool, ['--version']).status !== 0) return `${tool} is not installed`
  }
  const { status, stderr } = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
  return status === 0 ? undefined : `unshare --mount does not work: ${String(stderr)}`
}

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** The layout of the image in `folder/app`, by the commands of the Dockerfile. */
async function layOut(folder: string): Promise<void> {
  const app = join(folder, 'app')
  const sources = join(folder, 'sources')
  await copySources(sources)
  await npm(['run', 'build'], sources)
  mkdirSync(app)
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(ROOT, name), join(app, name))
  await npm(['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline'], app)
  cpSync(join(sources, 'dist'), join(app, 'dist'), { recursive: true })
}

/** A JSON list of the Dockerfile, `ENTRYPOINT` for one. */
function instruction(name: string): string[] {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  return JSON.parse(new RegExp(`^${name} (\\[.+\\])$`, 'm').exec(dockerfile)![1]!) as string[]
}

/** Runs in the root: prints whatever the user may write to. */
const SEARCH = `
const { accessSync, constants, readdirSync, readFileSync } = require('node:fs')
const found = []
const look = (path) => {
  try { accessSync(path, constants.W_OK); found.push(path) } catch {}
}
const walk = (path) => {
  look(path)
  let entries = []
  try { entries = readdirSync(path, { withFileTypes: true }) } catch {}
  for (const entry of entries) {
    const below = (path === '/' ? '' : path) + '/' + entry.name
    if (below === '/proc' || below === '/usr') look(below)
    else if (entry.isDirectory()) walk(below)
    else if (!entry.isSymbolicLink()) look(below)
  }
}
walk('/')
const writable = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\\n')
  .map((line) => line.split(' '))
  .filter((fields) => !fields[5].split(',').includes('ro') && !/\\bro\\b/.test(fields.at(-1)))
  .map((fields) => fields[4])
console.log(JSON.stringify({ found, writable, uid: process.getuid(), groups: process.getgroups(), home: process.env.HOME }))
`

test('the layout of the image runs as uid 1000 on a root without a writable path', async ({ skip }) => {
  const reason = obstacle()
  if (reason !== undefined) {
    console.log(`skipped: ${reason}`)
    skip(reason)
  }
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-root-'))
  open.push(() => rmSync(folder, { recursive: true }))
  await layOut(folder)
  const backend = await startHttpBackend({ tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  for (const name of ['root', 'config']) mkdirSync(join(folder, name), { mode: 0o755 })
  const config = {
    name: 'read-only',
    incomingAuth: { type: 'anonymous' },
    backends: [{ name: 'remote', url: backend.url }],
  }
  writeFileSync(join(folder, 'config/config.yaml'), JSON.stringify(config))

  const inRoot = (command: string[]): ChildProcess => {
    const places = [join(folder, 'root'), join(folder, 'app'), join(folder, 'config'), realpathSync(process.execPath)]
    const child = spawn('unshare', ['--mount', '--propagation', 'private', SCRIPT, ...places, ...command])
    open.push(() => child.kill('SIGKILL'))
    return child
  }

  const search = await output(inRoot(['node', '-e', SEARCH]))
  expect(JSON.parse(search)).toEqual({
    // Devices of every container; writing there keeps nothing.
    found: ['/dev/null', '/dev/urandom'],
    writable: ['/dev/null', '/dev/urandom', '/proc'],
    uid: 1000,
    groups: [1000],
    home: '/tmp',
  })

  const flags = instruction('CMD').map((flag) => flag.replace(/^--port=.*/, '--port=0'))
  const gateway = inRoot([...instruction('ENTRYPOINT'), ...flags])
  let stdout = ''
  let stderr = ''
  gateway.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  gateway.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const port = await waitFor(() => {
    if (gateway.exitCode !== null) throw new Error(`exit code ${gateway.exitCode}: ${stderr}${stdout}`)
    return /http:\/\/0\.0\.0\.0:(\d+)\/mcp/.exec(stdout)?.[1]
  }, 10_000)
  const base = `http://127.0.0.1:${port}`

  expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: 'ok' })
  await waitFor(async () => (await fetch(`${base}/readyz`)).status === 200, 10_000, 'readiness')
  expect(await (await fetch(`${base}/readyz`)).json()).toMatchObject({ status: 'ready' })
  for (const kind of ['SDK v1, legacy', 'SDK v2, modern'] as const) {
    const peer = await connectHttp(kind, `${base}/mcp`)
    expect(textOf(await peer.call({ name: 'echo', arguments: { text: 'hi' } }))).toBe('hi')
    await peer.close()
  }
  expect(statusOf(gateway.pid!)).toMatchObject({
    Uid: '1000',
    Gid: '1000',
    CapEff: '0000000000000000',
    NoNewPrivs: '1',
  })

  gateway.kill('SIGTERM')
  expect(await once(gateway, 'exit')).toEqual([0, null])
}, 180_000)

/** First values of a process's fields, as the kernel tells them. */
const statusOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .map((line) => line.split(/:?\s+/))
      .map(([name = '', value = '']) => [name, value]),
  )

async function output(child: ChildProcess): Promise<string> {
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as unknown[]
  if (code !== 0) throw new Error(`exit code ${String(code)}: ${stderr}`)
  return stdout
}
