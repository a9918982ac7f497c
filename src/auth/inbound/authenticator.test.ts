import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { issuerOf } from '../../../test/support/oidc/issuer.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Issuer } from '../../model/issuer.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { createAuthenticator } from './authenticator.ts'
import { localPrincipal } from './local.ts'
import type { AuthenticatorSettings } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmcp-local-'))
afterAll(() => rmSync(folder, { recursive: true }))

const local = (tokenFile?: string): AuthenticatorSettings => ({
  name: 'vmcp',
  incomingAuth: { type: 'local', issuers: [], ...(tokenFile === undefined ? {} : { local: { tokenFile } }) },
})

const refused = (work: () => unknown): GatewayError => {
  try {
    work()
  } catch (error) {
    if (error instanceof GatewayError) return error
  }
  throw new Error('not refused')
}

test('anonymous lets everybody in and has no metadata', () => {
  const settings: AuthenticatorSettings = {
    name: 'vmcp',
    publicUrl: 'https://mcp.example/mcp',
    incomingAuth: { type: 'anonymous', issuers: [] },
  }
  const authenticator = createAuthenticator(settings)
  expect(authenticator.authenticate(undefined)).toBe(ANONYMOUS)
  expect(authenticator.authenticate('Bearer whatever')).toBe(ANONYMOUS)
  expect(authenticator.metadata()).toBeUndefined()
})

test('a local token is made once, kept for its owner alone, and found again', () => {
  const stateFolder = join(folder, 'state', 'vmcp')
  const first = createAuthenticator(local(), { stateFolder })
  const file = join(stateFolder, 'local-token')
  expect(first.local).toMatchObject({ file, made: true, exposed: false })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const token = readFileSync(file, 'utf8').trim()
  expect(token).toMatch(/^[\w-]{43}$/u)
  const second = createAuthenticator(local(), { stateFolder })
  expect(second.local).toMatchObject({ file, made: false })
  expect(second.authenticate(`Bearer ${token}`)).toMatchObject({
    kind: 'identified',
    id: userInfo().username,
    issuer: 'vmcp-local',
  })
  expect(inspect(second.local)).not.toContain(token)
})

test('without a folder the token lives in memory', () => {
  const { local: made, authenticate } = createAuthenticator(local())
  expect(made).toMatchObject({ file: undefined, made: true })
  expect(authenticate(`Bearer ${made?.token.reveal()}`)).toMatchObject({ kind: 'identified' })
})

test('other tokens, and none, are refused', () => {
  const { authenticate } = createAuthenticator(local())
  const message = 'the token is not known'
  const challenge = `Bearer error="invalid_token", error_description="${message}"`
  for (const token of ['x', 'x'.repeat(43), 'x'.repeat(100_000), 'ü']) {
    expect(refused(() => authenticate(`Bearer ${token}`))).toMatchObject({
      code: 'UNAUTHENTICATED',
      message,
      challenge,
    })
  }
  expect(refused(() => authenticate(undefined))).toMatchObject({ challenge: 'Bearer realm="vmcp"' })
})

test('a given token counts, and a changed one without a restart', () => {
  const file = join(folder, 'given')
  writeFileSync(file, 'first\n', { mode: 0o600 })
  let time = 0
  const { authenticate } = createAuthenticator(local(file), { now: () => time })
  void authenticate('Bearer first')
  writeFileSync(file, 'second-token\n')
  time += 1000
  void authenticate('Bearer second-token')
  expect(refused(() => authenticate('Bearer first')).code).toBe('UNAUTHENTICATED')
  rmSync(file)
  time += 1000
  void authenticate('Bearer second-token')
})

test('a file that cannot hold a token is named, one that others may read is told of', () => {
  const file = join(folder, 'odd')
  for (const text of ['', '\n', 'two words', 'a\nb', 'ü']) {
    writeFileSync(file, text, { mode: 0o600 })
    expect(() => createAuthenticator(local(file))).toThrow(`${file} holds no token`)
  }
  expect(() => createAuthenticator(local(folder))).toThrow('EISDIR')
  writeFileSync(file, 'token')
  chmodSync(file, 0o644)
  expect(createAuthenticator(local(file)).local).toMatchObject({ exposed: true })
  const nowhere = join(file, 'below')
  expect(() => createAuthenticator(local(nowhere))).toThrow('ENOTDIR')
  expect(existsSync(nowhere)).toBe(false)
})

test('the command line is the same principal as who shows the token', () => {
  const { local: made, authenticate } = createAuthenticator(local())
  const shown = authenticate(`Bearer ${made?.token.reveal()}`)
  expect(localPrincipal(userInfo().username)).toMatchObject({ key: (shown as { key: string }).key })
})

test('oidc without what it needs is refused, also when no file says it', () => {
  const withOidc = (issuers: readonly Issuer[], publicUrl?: string) => () =>
    createAuthenticator({
      name: 'vmcp',
      ...(publicUrl === undefined ? {} : { publicUrl }),
      incomingAuth: { type: 'oidc', issuers },
    })
  const issuer = issuerOf('https://id.example', { audiences: ['x'] })
  expect(withOidc([])).toThrow('incomingAuth.oidc')
  expect(withOidc([{ ...issuer, audiences: [] }])).toThrow('audience')
  expect(withOidc([issuer, issuer])).toThrow('listed twice')
  expect(withOidc([{ ...issuer, name: 'id.example' }])).toThrow('no URL (id.example)')
  expect(withOidc([issuer], 'mcp.example')).toThrow('publicUrl')
  expect(withOidc([issuer], 'https://mcp.example/#x')).toThrow('publicUrl')
  expect(withOidc([issuer])().metadata()).toBeUndefined()
})
