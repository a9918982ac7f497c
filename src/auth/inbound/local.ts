import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import type { Identified } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { isTokenText } from '../../model/token-text.ts'
import { bearerToken } from './bearer.ts'
import { identified } from './principal.ts'
import { invalidToken, noToken } from './refusals.ts'

/** The token of a gateway for one person, which clients on the same machine show. */
export interface LocalToken {
  /** Where it is kept; `undefined`: only in memory, until the process ends. */
  readonly file: string | undefined
  /** It was made just now, so nobody knows it yet. */
  readonly made: boolean
  /** Others on this machine may read the file. */
  readonly exposed: boolean
  readonly token: Secret
}

/** Between two looks at the file, so that a changed token counts without a restart. */
const LOOK_MS = 1000
const CHALLENGE = { metadataUrl: undefined, scopes: [] }
const LOCAL = { name: 'vmcp-local', subjectPrefix: '' }

/** Whoever uses the machine: the principal of type `local`, and of the command line. */
export function localPrincipal(user: string, token = ''): Identified {
  const claims = { subject: user, client: undefined, scopes: [], expiresAt: undefined }
  return identified(LOCAL, claims, { iss: LOCAL.name, sub: user }, token)
}

/**
 * Reads the token, or makes one and keeps it in the file (mode 0600). Without `file` it lives as long as the process.
 * Throws an `Error` that names the file when it cannot be read or written, or holds nothing that could be a token.
 */
export function localToken(file: string | undefined): LocalToken {
  if (file === undefined) return { file, made: true, exposed: false, token: makeToken() }
  return keptToken(file) ?? newToken(file) ?? keptToken(file) ?? unreadable(file)
}

function keptToken(file: string): LocalToken | undefined {
  return unless('ENOENT', () => ({ file, made: false, exposed: isExposed(file), token: readToken(file) }))
}

/** `undefined`: somebody else, such as a gateway that starts at the same time, was quicker. */
function newToken(file: string): LocalToken | undefined {
  const token = makeToken()
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return unless('EEXIST', () => {
    // Exclusive: a link that somebody has put there is not followed.
    writeFileSync(file, `${token.reveal()}\n`, { mode: 0o600, flag: 'wx' })
    return { file, made: true, exposed: false, token }
  })
}

function unless<T>(code: string, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined
    throw error
  }
}

function unreadable(file: string): never {
  throw new Error(`${file} can neither be read nor written`)
}

const makeToken = () => new Secret(randomBytes(32).toString('base64url'))

function readToken(file: string): Secret {
  const text = readFileSync(file, 'utf8').trim()
  if (!isTokenText(text)) throw new Error(`${file} holds no token: one line of letters, digits and -._~+/ is expected`)
  return new Secret(text)
}

const isExposed = (file: string) => process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0

/** Lets in whoever shows the token. The function throws `UNAUTHENTICATED`. */
export function createLocalDoor(
  start: LocalToken,
  user: string,
  now: () => number,
): (authorization: string | undefined) => Identified {
  let expected = digest(start.token.reveal())
  let principal = localPrincipal(user, start.token.reveal())
  let lookedAt = now()
  let seen = stamp(start.file)

  function lookAgain(): void {
    if (start.file === undefined || now() - lookedAt < LOOK_MS) return
    lookedAt = now()
    const stands = stamp(start.file)
    if (stands === seen) return
    seen = stands
    try {
      const token = readToken(start.file).reveal()
      expected = digest(token)
      principal = localPrincipal(user, token)
    } catch {
      // Half written or gone: the token that was valid stays so until there is another.
    }
  }

  return (authorization) => {
    lookAgain()
    const token = bearerToken(authorization)
    if (token === undefined) throw noToken(CHALLENGE)
    // Digests are of one length, and comparing them takes one time.
    if (!timingSafeEqual(digest(token), expected)) throw invalidToken('unknown', CHALLENGE)
    return principal
  }
}

const digest = (token: string): Buffer => hash('sha256', token, 'buffer')

function stamp(file: string | undefined): string {
  const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
  return stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : ''
}

/** In a container nobody may have a name. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'local'
  }
}
