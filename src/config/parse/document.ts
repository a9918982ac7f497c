import { type Fault, fileError } from '../faults.ts'
import { MAX_FILE_BYTES } from './limits.ts'
import { parseJson } from './json.ts'
import type { Parsed } from './parsed.ts'
import { parseYaml } from './yaml.ts'

const JSON_START = /^\s*(?:[{[]|\/\/|\/\*)/u

/**
 * Parses the bytes of a file by what they look like, whatever its name. Refuses binary and huge files.
 * A text that begins like JSON but is YAML in flow style is read as YAML. Never throws.
 */
export function parseDocument(file: string, bytes: Buffer | string): Parsed {
  const refuse = (message: string): Parsed => ({ documents: [], faults: [wholeFile(file, message)] })
  if (Buffer.byteLength(bytes) > MAX_FILE_BYTES) return refuse(`larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`)
  const text = decode(bytes)
  if (text === undefined) return refuse('not a text file in UTF-8')
  if (text.trim() === '') return { documents: [], faults: [] }
  if (!JSON_START.test(text)) return parseYaml(file, text)
  const json = parseJson(file, text)
  // In a .json file a slip such as `tru` must stay a slip, though YAML would take it for a text.
  if (json.documents.length > 0 || file.endsWith('.json')) return json
  const yaml = parseYaml(file, text)
  return yaml.documents.length > 0 && yaml.faults.length === 0 ? yaml : json
}

/** A fault of a file as a whole. */
export const wholeFile = (file: string, message: string, hint?: string): Fault =>
  fileError({ file, line: 1, column: 1, path: '' }, message, hint)

function decode(bytes: Buffer | string): string | undefined {
  let text: string
  try {
    text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
  if (text.includes('\0')) return undefined
  return text.startsWith('\u{FEFF}') ? text.slice(1) : text
}
