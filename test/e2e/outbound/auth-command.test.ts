import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CommandLine } from '../../support/command-line.ts'
import { startCommandLine } from '../../support/command-line.ts'
import { Browser } from '../../support/http-browser.ts'
import { startProvider } from '../../support/oidc/provider.ts'
import { legacyClient } from '../../support/raw-client.ts'
import { tokenBackend } from '../../support/token-backend.ts'

const open: (() => unknown)[] = []
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true })
})

function vmcp(...args: string[]): CommandLine {
  const command = startCommandLine(args, { XDG_STATE_HOME: join(folder, 'state') })
  open.push(() => command.end())
  return command
}

async function said(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const command = vmcp(...args)
  const code = await command.exited
  return { code, stdout: command.stdout(), stderr: command.stderr() }
}

/** A mail server that knows alice by her tokens, and a configuration with it. */
async function world(): Promise<string> {
  const provider = await startProvider(undefined, { scopes: ['mail'], refreshes: true })
  open.push(() => provider.close())
  const backend = await tokenBackend({
    era: 'legacy',
    issuer: provider.issuer,
    scopes: ['mail'],
    userOf: (token) => (token.startsWith('ey') ? 'alice' : undefined),
  })
  provider.resources.set(backend.url, { format: 'jwt', scope: 'mail' })
  const file = join(folder, 'vmcp.json')
  const mail = { type: 'authorization_code', authorizationCode: {} }
  const backends = [
    { name: 'mail', url: backend.url },
    { name: 'clock', command: 'true' },
  ]
  writeFileSync(file, JSON.stringify({ backends, outgoingAuth: { backends: { mail } } }))
  return file
}

async function logIn(file: string): Promise<void> {
  const login = vmcp('auth', 'login', file, 'mail', '--no-browser')
  const page = await vi.waitFor(() => {
    const [found] = /http:\S+/.exec(login.stdout()) ?? []
    if (found === undefined) throw new Error(`no address yet: ${login.stderr()}`)
    return found
  }, 10_000)
  expect((await new Browser('alice').open(page)).status).toBe(200)
  expect(await login.exited).toBe(0)
  expect(login.stdout()).toContain('signed in to mail')
}

test('what one command signs in to, a gateway that runs uses, until another command signs out', async () => {
  const file = await world()
  const gateway = vmcp('serve', file, '--port', '0')
  const client = await legacyClient(await gateway.url())
  open.push(() => client.close())
  await vi.waitFor(async () => expect(await client.tools()).toEqual(['mail_sign_in']))
  expect((await said('auth', 'list', file)).stdout).toBe('mail  nobody has signed in\n')
  await logIn(file)
  const listed = await said('auth', 'list', file)
  expect(listed.stdout).toMatch(
    /^mail {2}local {2}at http:\/\/127\.0\.0\.1:\d+ {2}mail, until .*Z, renewed by itself\n$/,
  )
  await vi.waitFor(async () => expect(await client.tools()).toContain('mail_whoami'), 10_000)
  expect((await client.tool('mail_whoami')).text).toBe('alice')
  const called = await said('call', file, 'mail_whoami')
  expect(called).toMatchObject({ code: 0, stdout: 'alice\n' })
  expect(await said('auth', 'logout', file, 'mail')).toMatchObject({ code: 0, stdout: 'signed out of mail\n' })
  expect(await said('auth', 'logout', file, 'mail')).toMatchObject({ code: 1 })
  await vi.waitFor(async () => expect((await client.tool('mail_whoami')).text).toMatch(/sign in/), 10_000)
})

test.each([
  [['auth'], 2, 'say what to do: list, login, logout'],
  [['auth', 'login'], 2, 'name the backend'],
  [['auth', 'login', 'FILE', 'clock'], 1, 'nobody signs in at the backend clock'],
  [['auth', 'login', 'FILE', 'mial'], 1, 'they do at mail'],
  [['auth', 'list', 'nowhere.yaml'], 3, 'nowhere.yaml'],
] as const)('%j exits with %d', async (args, code, words) => {
  const file = await world()
  const answer = await said(...args.map((arg) => (arg === 'FILE' ? file : arg)))
  expect(answer.code).toBe(code)
  expect(answer.stderr).toContain(words)
})

test('nobody signs in where the token of a caller is exchanged', async () => {
  const file = join(folder, 'vmcp.json')
  const xaa = { idpTokenUrl: 'https://i/', targetTokenUrl: 'https://t/', targetAudience: 'a' }
  const strategies = {
    mail: { type: 'xaa', xaa: { ...xaa, subjectTokenType: 'access_token' } },
    chat: { type: 'xaa', xaa },
  }
  const config = {
    publicUrl: 'https://gw/mcp',
    backends: Object.keys(strategies).map((name) => ({ name, url: `https://${name}.example/mcp` })),
    incomingAuth: { type: 'oidc', oidc: { issuer: 'https://i', clientId: 'gateway' } },
    outgoingAuth: { backends: strategies },
  }
  writeFileSync(file, JSON.stringify(config))
  const answer = await said('auth', 'login', file, 'mail')
  expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody signs in at the backend mail') })
  expect(answer.stderr).toContain('they do at chat')
  expect((await said('auth', 'list', file)).stdout).toBe('chat  nobody has signed in\n')
})

test('a command that has no page says how to sign in', async () => {
  const file = await world()
  const answer = await said('call', file, 'mail_whoami')
  expect(answer.code).toBe(1)
  expect(answer.stderr + answer.stdout).toMatch(/backend "mail" wants its user to sign in: .*vmcp auth login/)
})
