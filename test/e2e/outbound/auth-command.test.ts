import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CommandLine } from '../../support/command-line.ts'
import { startCommandLine } from '../../support/command-line.ts'
import { vmcp as vmcpHere } from '../../support/in-process.ts'
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
async function world(closing: (close: () => Promise<void>) => void = () => {}): Promise<string> {
  const provider = await startProvider(undefined, { scopes: ['mail'], refreshes: true })
  const close = () => provider.close()
  open.push(close)
  closing(close)
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

/** `vmcp auth login` that waits for its user, and the page that it waits at. */
async function loggingIn(file: string): Promise<{ login: CommandLine; page: string }> {
  const login = vmcp('auth', 'login', file, 'mail', '--no-browser')
  const page = await vi.waitFor(() => {
    const [found] = /http:\S+/.exec(login.stdout()) ?? []
    if (found === undefined) throw new Error(`no address yet: ${login.stderr()}`)
    return found
  }, 10_000)
  return { login, page }
}

async function logIn(file: string): Promise<void> {
  const { login, page } = await loggingIn(file)
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
  const answer = await vmcpHere(...args.map((arg) => (arg === 'FILE' ? file : arg)))
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

test('a login that fails ends with the reason', async () => {
  const backend = await tokenBackend({ era: 'legacy', userOf: () => undefined, open: () => true })
  const file = join(folder, 'mcp.json')
  writeFileSync(file, JSON.stringify({ mcpServers: { mail: { url: backend.url } } }))
  const { login, page } = await loggingIn(file)
  const why = `the metadata of the authorization server ${new URL(backend.url).origin} are not to be found`
  const seen = await new Browser('alice').open(page)
  expect(seen).toMatchObject({ status: 502, text: expect.stringContaining(why) as string })
  expect(await login.exited).toBe(1)
  expect(login.stderr()).toContain(`nobody is signed in: ${why}`)
})

test('nobody signs in for a gateway that keeps its tokens to itself', async () => {
  const file = await world()
  const { outgoingAuth, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { outgoingAuth: object }
  writeFileSync(file, JSON.stringify({ ...rest, outgoingAuth: { ...outgoingAuth, store: { provider: 'memory' } } }))
  const answer = await said('auth', 'login', file, 'mail', '--no-browser')
  expect(answer).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('in the memory of the gateway') })
})

test.each(['list', 'login', 'logout'])('%s names the file that it cannot read, and the way out', async (verb) => {
  const file = await world()
  const store = join(folder, 'state', 'vmcp', 'credentials')
  mkdirSync(join(folder, 'state', 'vmcp'), { recursive: true })
  writeFileSync(store, 'garbage')
  const answer = await said('auth', verb, file, ...(verb === 'list' ? [] : ['mail']))
  expect(answer).toMatchObject({ code: 1, stdout: '' })
  expect(answer.stderr.split('\n')).toEqual([
    `vmcp: ${store}: the token store cannot be opened: it is damaged, or was sealed with another key`,
    `      remove ${store} to start anew; users then sign in again`,
    '',
  ])
  expect(readFileSync(store, 'utf8')).toBe('garbage')
})

test('a logout tells when the tokens could not be revoked', async () => {
  let endProvider: () => Promise<void> = async () => {}
  const file = await world((close) => (endProvider = close))
  await logIn(file)
  await endProvider()
  const answer = await said('auth', 'logout', file, 'mail')
  expect(answer).toMatchObject({ code: 0, stdout: 'signed out of mail\n' })
  expect(answer.stderr).toMatch(/^warning: the tokens are forgotten here, but may be good until they end: \S/)
})
