import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { PolicyCase } from '../../auth/policy/explain.ts'
import { formatFault } from '../../config/format.ts'
import { parseDocument } from '../../config/parse/document.ts'
import { plain } from '../../config/positions.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { CliError, EXIT } from '../exit.ts'

export interface CaseFile {
  /** The configuration, or `.cedar` file, that is tested. */
  policies: string
  cases: readonly PolicyCase[]
}

/**
 * Reads `{policies: FILE, cases: [...]}`, or, for a file of policies, what stands beside it in `NAME.test.yaml`.
 * Throws a `CliError` that names the case that is wrong.
 */
export function readCases(file: string): CaseFile {
  const document = file.endsWith('.cedar') ? undefined : documentIn(file)
  if (document?.['cases'] !== undefined) return casesOf(file, document, dirname(file))
  const beside = [`.test.yaml`, `.test.yml`, `.test.json`]
    .map((ending) => join(dirname(file), basename(file, extname(file)) + ending))
    .find((name) => existsSync(name))
  if (beside === undefined) {
    const hint = `write cases: [{principal: {sub: ...}, call: {tool: ...}, expected: allow}] into ${basename(file, extname(file))}.test.yaml`
    throw new CliError(EXIT.config, `${file} has no cases, and no file of tests stands beside it`, hint)
  }
  return casesOf(beside, { policies: basename(file), ...documentIn(beside) }, dirname(beside))
}

function documentIn(file: string): JsonObject {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CliError(EXIT.config, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  const { documents, faults } = parseDocument(file, bytes)
  const [fault] = faults
  if (fault) throw new CliError(EXIT.config, formatFault(fault))
  const value = documents[0] && plain(documents[0])
  return isObject(value) ? value : {}
}

function casesOf(file: string, { policies, cases }: JsonObject, folder: string): CaseFile {
  if (typeof policies !== 'string') {
    throw new CliError(EXIT.config, `${file}: policies must name the file that is tested`, 'policies: vmcp.yaml')
  }
  if (!Array.isArray(cases) || cases.length === 0) throw new CliError(EXIT.config, `${file}: cases must be a list`)
  return {
    policies: resolve(folder, policies),
    cases: cases.map((one, index) => caseOf(one, `${file}: cases[${index}]`)),
  }
}

const CALL_KEYS = new Set(['tool', 'resource', 'prompt', 'backend', 'annotations', 'arguments', 'workflow'])

function caseOf(value: JsonValue, where: string): PolicyCase {
  const wrong = (what: string): CliError => new CliError(EXIT.config, `${where} ${what}`)
  if (!isObject(value)) throw wrong('must be a map')
  const { name, principal, call, expected } = value
  if (!isObject(principal)) throw wrong('needs a principal: its claims, {sub: ...}')
  if (!isObject(call)) throw wrong('needs a call: {tool: ...}, {resource: ...} or {prompt: ...}')
  for (const key of Object.keys(call)) if (!CALL_KEYS.has(key)) throw wrong(`has an unknown key in its call: ${key}`)
  if (expected !== 'allow' && expected !== 'deny') throw wrong('expects neither allow nor deny')
  return { ...(typeof name === 'string' && { name }), principal, call, expected }
}
