import { randomBytes, randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const KEY_BYTES = 32

/** The key in a file that `ensuredKey` has made. `undefined`: there is no such file. Throws for one that holds no key. */
export function fileKey(path: string): Buffer | undefined {
  try {
    return checked(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The key in a file, readable by its owner only; a random one is made when there is none. */
export function ensuredKey(path: string): Buffer {
  const known = fileKey(path)
  if (known) return known
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Complete before it has its name, and of two processes that begin together one gives the key to both.
  const draft = `${path}.${randomUUID()}`
  try {
    writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
    try {
      linkSync(draft, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  } finally {
    rmSync(draft, { force: true })
  }
  return checked(readFileSync(path, 'utf8'))
}

function checked(text: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== KEY_BYTES) throw new Error(`the key file holds no key of ${KEY_BYTES} bytes`)
  return key
}
