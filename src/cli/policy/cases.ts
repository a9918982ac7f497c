import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { PolicyCase } from '../../auth/policy/explain.ts'
import { fileError } from '../../config/faults.ts'
import { formatFault } from '../../config/format.ts'
import { parseDocument } from '../../config/parse/document.ts'
import type { Located, Step } from '../../config/positions.ts'
import { get, keyPositionOf, map, plain, positionOf } from '../../config/positions.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { nearest } from '../../model/nearest.ts'
import { CliError, EXIT } from '../exit.ts'

export interface CaseFile {
  /** The configuration, or `.cedar` file, that is tested. */
  policies: string
  cases: readonly PolicyCase[]
  /** `FILE:LINE:COLUMN` of each case. */
  places: readonly string[]
}

/** The format, for the help. */
export const CASES_FORMAT = [
  'test reads {policies: FILE, cases: [...]}, or NAME.test.yaml (.yml, .json) with cases: beside NAME.yaml or NAME.cedar:',
  '  policies: vmcp.yaml             # what is tested; not needed beside NAME',
  '  cases:',
  '    - name: guests only read      # optional',
  '      principal: {sub: bob, groups: [guests]}   # the claims; without sub: anonymous',
  '      call:                       # one of tool, resource, prompt; the others are optional',
  '        tool: github_search       # as clients see it',
  '        backend: github           # for policies on Backend::',
  '        annotations: {readOnlyHint: true}   # readOnlyHint, destructiveHint, idempotentHint, openWorldHint',
  '        arguments: {query: x}',
  '        workflow: nightly         # the composite tool of whose step this is the call',
  '      expected: allow             # or deny',
]

/**
 * Reads `{policies: FILE, cases: [...]}`, or, for a file of policies, what stands beside it in `NAME.test.yaml`.
 * Throws a `CliError` that names the case that is wrong.
 */
export function readCases(file: string): CaseFile {
  const document = file.endsWith('.cedar') ? undefined : documentIn(file)
  if (document && get(document, 'cases')) return casesOf(document, dirname(file))
  const beside = [`.test.yaml`, `.test.yml`, `.test.json`]
    .map((ending) => join(dirname(file), basename(file, extname(file)) + ending))
    .find((name) => existsSync(name))
  if (beside === undefined) {
    const hint = `write cases: [{principal: {sub: ...}, call: {tool: ...}, expected: allow}] into ${basename(file, extname(file))}.test.yaml`
    throw new CliError(EXIT.config, `${file} has no cases, and no file of tests stands beside it`, hint)
  }
  return casesOf(documentIn(beside), dirname(beside), basename(file))
}

function documentIn(file: string): Located {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CliError(EXIT.config, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  const { documents, faults } = parseDocument(file, bytes)
  const [fault] = faults
  if (fault) throw new CliError(EXIT.config, formatFault(fault))
  return documents[0] ?? map({ file, line: 1, column: 1, path: '' })
}

/** A fault at the value, or at the key, that `steps` lead to. */
const wrongAt = (root: Located, steps: readonly Step[], message: string, hint?: string, place = positionOf): CliError =>
  new CliError(EXIT.config, formatFault(fileError(place(root, steps), message, hint)))

/** `fallback`: what is tested when the document does not say. */
function casesOf(root: Located, folder: string, fallback?: string): CaseFile {
  const document = plain(root)
  const { policies = fallback, cases } = isObject(document) ? document : {}
  if (isObject(document)) checkKeys(root, [], document, ['policies', 'cases'])
  if (typeof policies !== 'string') {
    throw wrongAt(root, ['policies'], 'policies must name the file that is tested', 'policies: vmcp.yaml')
  }
  if (!Array.isArray(cases) || cases.length === 0) throw wrongAt(root, ['cases'], 'cases must be a list of cases')
  const placeOf = (index: number): string => {
    const { file, line, column } = positionOf(root, ['cases', index])
    return `${file}:${line}:${column}`
  }
  return {
    policies: resolve(folder, policies),
    cases: cases.map((one, index) => caseOf(root, index, one)),
    places: cases.map((_, index) => placeOf(index)),
  }
}

function checkKeys(root: Located, steps: readonly Step[], value: JsonObject, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    const hint = near === undefined ? `there is ${known.join(', ')}` : `did you mean "${near}"?`
    throw wrongAt(root, [...steps, key], `unknown key "${key}"`, hint, keyPositionOf)
  }
}

const NAMES = ['tool', 'resource', 'prompt'] as const
const TEXTS = [...NAMES, 'backend', 'workflow'] as const
const MAPS = ['annotations', 'arguments'] as const

function caseOf(root: Located, index: number, value: JsonValue): PolicyCase {
  const steps = ['cases', index]
  const wrong = (key: string, message: string): CliError => wrongAt(root, [...steps, key], message)
  if (!isObject(value)) throw wrongAt(root, steps, 'a case must be a map')
  checkKeys(root, steps, value, ['name', 'principal', 'call', 'expected'])
  const { name, principal, call, expected } = value
  if (!isObject(principal)) throw wrong('principal', 'a case needs a principal: its claims, {sub: ...}')
  if (!isObject(call)) throw wrong('call', 'a case needs a call: {tool: ...}, {resource: ...} or {prompt: ...}')
  checkCall(root, [...steps, 'call'], call)
  if (expected !== 'allow' && expected !== 'deny') throw wrong('expected', 'a case expects allow or deny')
  return { ...(typeof name === 'string' && { name }), principal, call, expected }
}

function checkCall(root: Located, steps: readonly Step[], call: JsonObject): void {
  checkKeys(root, steps, call, [...TEXTS, ...MAPS])
  for (const key of TEXTS) {
    if (call[key] !== undefined && typeof call[key] !== 'string')
      throw wrongAt(root, [...steps, key], 'expected a text')
  }
  for (const key of MAPS) {
    if (call[key] !== undefined && !isObject(call[key])) throw wrongAt(root, [...steps, key], 'expected a map')
  }
  if (NAMES.filter((key) => call[key] !== undefined).length !== 1) {
    throw wrongAt(root, steps, 'a call names one of tool, resource and prompt')
  }
}
