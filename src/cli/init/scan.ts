import { readFile, stat } from 'node:fs/promises'
import { MAX_FILE_BYTES } from '../../config/parse/limits.ts'
import { parseJson } from '../../config/parse/json.ts'
import { type Located, plain } from '../../config/positions.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { type Client, locations, type Machine } from '../clients.ts'
import { type Entry, fingerprint } from './entry.ts'
import { normalise } from './normalise.ts'

/** A client's file that is there. */
interface ScannedFile {
  file: string
  client: Client
  servers: number
  /** Why nothing of it was read. */
  broken?: string
}

export interface LeftOut {
  name: string
  client: Client
  why: string
}

export interface Scan {
  files: ScannedFile[]
  entries: Entry[]
  leftOut: LeftOut[]
  /** Absolute paths that were looked at, there or not. */
  looked: { file: string; client: Client }[]
}

/** Reads every client configuration of the machine. Nothing that stands in one of them makes it fail. */
export async function scan(machine: Machine): Promise<Scan> {
  const result: Scan = { files: [], entries: [], leftOut: [], looked: [] }
  const documents = new Map<string, Document>()
  const places = locations(machine)
  for (const { file, client } of places) {
    if (documents.has(file)) continue
    result.looked.push({ file, client })
    const document = await readDocument(file)
    documents.set(file, document)
    if (document.kind === 'absent') continue
    result.files.push({ file, client, servers: 0, ...(document.kind === 'broken' && { broken: document.why }) })
  }
  const rootOf = (file: string): JsonValue | undefined => {
    const document = documents.get(file)
    return document?.kind === 'read' ? document.root : undefined
  }
  for (const { file, client, servers } of places) {
    const found = valueAt(rootOf(file), servers)
    const given = isObject(found) ? Object.entries(found) : []
    const status = result.files.find((one) => one.file === file)
    if (status) status.servers += given.length
    const off = new Set(
      places.filter((place) => place.client === client).flatMap((place) => namesAt(rootOf(place.file), place.off)),
    )
    for (const [name, definition] of given) {
      if (!isObject(definition)) {
        result.leftOut.push({ name, client, why: 'does not describe a server' })
        continue
      }
      const normal = normalise(definition, client, machine)
      const preferred = result.entries.find((entry) => entry.client === client && entry.name === name)
      if (!preferred) {
        result.entries.push({ name, client, definition: off.has(name) ? { ...normal, disabled: true } : normal })
      } else if (fingerprint(preferred.definition) !== fingerprint(normal)) {
        result.leftOut.push({ name, client, why: `${client.title} itself prefers its other definition of this name` })
      }
    }
  }
  return result
}

export type Document =
  | { kind: 'absent' }
  | { kind: 'broken'; why: string }
  | { kind: 'read'; root: JsonObject; text: string }

/** Reads JSON with comments and trailing commas. An empty file is an empty object. Never throws. */
export async function readDocument(file: string): Promise<Document> {
  const broken = (why: string): Document => ({ kind: 'broken', why })
  let text: string
  try {
    const status = await stat(file)
    // Reading a pipe would wait for ever.
    if (!status.isFile()) return broken('not a file')
    if (status.size > MAX_FILE_BYTES) return broken(`larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`)
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    if (error instanceof TypeError) return broken('not a text file in UTF-8')
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'absent' } : broken(`cannot be read (${code})`)
  }
  if (text.trim() === '') return { kind: 'read', root: {}, text }
  const { documents, faults } = parseJson(file, text)
  const [document] = documents
  const [fault] = faults
  if (document === undefined) return broken(fault ? `${fault.line}:${fault.column} ${fault.message}` : 'holds nothing')
  const root = valueOf(document)
  return isObject(root) ? { kind: 'read', root, text } : broken('not a JSON object')
}

const valueOf = (document: Located): JsonValue => plain(document) as JsonValue

function valueAt(root: JsonValue | undefined, keys: readonly string[]): JsonValue | undefined {
  let value = root
  for (const key of keys) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value
}

function namesAt(root: JsonValue | undefined, lists: readonly (readonly string[])[]): string[] {
  return lists.flatMap((keys) => {
    const list = valueAt(root, keys)
    return Array.isArray(list) ? list.filter((name) => typeof name === 'string') : []
  })
}
