import { basename, dirname, resolve } from 'node:path'
import type { PolicyCase } from '../../auth/policy/explain.ts'
import type { Located } from '../../config/positions.ts'
import type { JsonObject } from '../../model/json.ts'
import { readCaseFile } from '../cases/case-file.ts'
import { choiceOf, fieldsOf, objectOf, type Reader, textOf, wrongAt } from '../cases/fields.ts'

export interface PolicyCaseFile {
  /** The configuration, or `.cedar` file, that is tested. */
  policies: string
  cases: readonly PolicyCase[]
  /** `FILE:LINE:COLUMN` of each case. */
  places: readonly string[]
}

/** The format, for the help. */
export const POLICY_CASES_FORMAT = [
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

const POLICY_CASES = {
  suffix: '.test',
  example: '{principal: {sub: ...}, call: {tool: ...}, expected: allow}',
  fields: { policies: textOf },
} as const

/**
 * Reads `{policies: FILE, cases: [...]}`, or, for a file of policies, what stands beside it in `NAME.test.yaml`.
 * Throws a `CliError` that names the first slip.
 */
export function readPolicyCases(given: string): PolicyCaseFile {
  const { file, at, fields, cases } = readCaseFile(given, POLICY_CASES)
  const { policies = file === given ? undefined : basename(given) } = fields
  if (policies === undefined) {
    throw wrongAt(at, 'policies must name the file that is tested', 'policies: vmcp.yaml')
  }
  return {
    policies: resolve(dirname(file), policies),
    cases: cases.map(readCase),
    places: cases.map((node) => `${file}:${node.at.line}:${node.at.column}`),
  }
}

function readCase(node: Located): PolicyCase {
  const { name, principal, call, expected } = fieldsOf(node, 'a case', CASE)
  if (!principal) throw wrongAt(node.at, 'a case needs a principal: its claims, {sub: ...}')
  if (!call) throw wrongAt(node.at, 'a case needs a call: {tool: ...}, {resource: ...} or {prompt: ...}')
  if (!expected) throw wrongAt(node.at, 'a case expects allow or deny')
  return { ...(name !== undefined && { name }), principal, call, expected }
}

const TARGETS = ['tool', 'resource', 'prompt'] as const

const callOf: Reader<JsonObject> = (node, what) => {
  const call = fieldsOf(node, what, CALL)
  if (TARGETS.filter((target) => call[target] !== undefined).length !== 1) {
    throw wrongAt(node.at, 'a call names one of tool, resource and prompt')
  }
  return call
}

const CALL = {
  tool: textOf,
  resource: textOf,
  prompt: textOf,
  backend: textOf,
  workflow: textOf,
  annotations: objectOf,
  arguments: objectOf,
}

const CASE = { name: textOf, principal: objectOf, call: callOf, expected: choiceOf(['allow', 'deny']) }
