import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { CliError, EXIT } from '../exit.ts'
import { readDocument } from './scan.ts'
import type { PlannedServer } from './plan.ts'

/** The file that `vmcp init` writes, as it stands. */
export interface Output {
  /** Where it really lies; a symbolic link at its path stays one. */
  file: string
  /** Absent: there is no such file yet. */
  text?: string
  root: JsonObject
  servers: Map<string, JsonObject>
  /** It holds comments or trailing commas, which a new version loses. */
  commented: boolean
}

/** Reads the present output. Throws a `CliError` when it holds something that `vmcp init` did not write. */
export async function readOutput(path: string): Promise<Output> {
  const file = await realpath(path).catch(() => path)
  const refuse = (why: string) =>
    new CliError(EXIT.failed, `${path} ${why}`, 'move it away, or name another file with --output FILE')
  const document = await readDocument(file)
  if (document.kind === 'absent') return { file, root: {}, servers: new Map(), commented: false }
  if (document.kind === 'broken') throw refuse(`cannot be extended: ${document.why}`)
  const { root, text } = document
  const { mcpServers = {} } = root
  if (!isObject(mcpServers)) throw refuse('cannot be extended: mcpServers is not a map of servers')
  if (root['mcpServers'] === undefined && Object.keys(root).length > 0) {
    throw refuse('holds something else than mcpServers')
  }
  const servers = new Map<string, JsonObject>()
  for (const [name, definition] of Object.entries(mcpServers)) {
    if (!isObject(definition))
      throw refuse(`cannot be extended: mcpServers has an entry that does not describe a server`)
    servers.set(name, definition)
  }
  return { file, text, root, servers, commented: text.trim() !== '' && !isStrictJson(text) }
}

function isStrictJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The text of the new file; keys beside `mcpServers` stay. */
export function render(root: JsonObject, servers: readonly PlannedServer[]): string {
  const mcpServers = Object.fromEntries(servers.map(({ name, definition }) => [name, definition]))
  return `${JSON.stringify({ ...root, mcpServers }, null, 2)}\n`
}

/** A person may take long to answer; what was written meanwhile was never shown and must not be lost. */
export async function refuseIfChanged(path: string, { text }: Output): Promise<void> {
  if ((await readOutput(path)).text === text) return
  throw new CliError(EXIT.failed, `${path} has changed since it was read`, 'run vmcp init again')
}

/** Replaces the file in one step. Without a mode only its owner may read it: it holds what the clients keep secret. */
export async function writeAtomically(
  file: string,
  text: string,
  { mode = 0o600, flag = '--output' }: { mode?: number; flag?: string } = {},
): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await open(draft, 'wx', mode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    throw new CliError(EXIT.failed, `${file} cannot be written (${code})`, `name another file with ${flag} FILE`)
  }
}
