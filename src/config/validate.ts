import type { z } from 'zod'
import { type Fault, fileError } from './faults.ts'
import {
  joinPath,
  keyPositionOf,
  type Located,
  type LocatedMap,
  plain,
  type Position,
  positionOf,
} from './positions.ts'
import { didYouMean, suggest } from '../model/nearest.ts'
import { without } from './prune.ts'
import { configSchema, type AuthoredConfig } from './schema.ts'
import { found, MISSING } from './schema/primitives.ts'

type RawIssue = z.core.$ZodRawIssue
type Issue = z.core.$ZodIssue

/** zod carries one text per issue: a hint travels behind this. */
const HINT = '\n'

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

/** A configuration whose shape is right, and the tree it was read from. */
export interface Shaped {
  root: LocatedMap
  value: AuthoredConfig
}

/**
 * Checks the shape of a whole configuration: all faults at once, each where it was written. With faults `shaped` is
 * what is left without the parts they are in, so that the rest can be checked further; absent when nothing is.
 */
export function validate(root: LocatedMap): { shaped?: Shaped; faults: Fault[] } {
  const first = configSchema.safeParse(plain(root), { error: explain })
  if (first.success) return { shaped: { root, value: first.data }, faults: [] }
  const faults = first.error.issues.flatMap((issue) => issueFaults(root, [], issue))
  let rest = root
  let issues = first.error.issues
  // What is missing takes its map along, which may be missing to another one in turn.
  for (let round = 0; round < MAX_ROUNDS; round++) {
    rest = without(rest, issues.flatMap(badParts))
    const again = configSchema.safeParse(plain(rest))
    if (again.success) return { shaped: { root: rest, value: again.data }, faults }
    issues = again.error.issues
  }
  return { faults }
}

const MAX_ROUNDS = 5

function badParts(issue: Issue): (readonly PropertyKey[])[] {
  if (issue.code !== 'unrecognized_keys') return [issue.path]
  return issue.keys.map((key) => [...issue.path, key])
}

/** The text of an issue; `undefined` leaves it to the schema or to zod. */
function explain(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return MISSING
      return withHint(
        `expected ${noun(issue.expected)}, found ${foundElsewhere(issue.input)}`,
        typeHint(issue.expected, issue.input),
      )
    case 'invalid_value': {
      const values = issue.values.map(String)
      const hint = typeof issue.input === 'string' ? didYouMean(issue.input, values) : undefined
      return withHint(`expected ${oneOf(values)}, found ${found(issue.input)}`, hint)
    }
    case 'unrecognized_keys':
      // The schema's own keys are reachable only here; the faults themselves are made one by one.
      return Object.keys(shapeOf(issue.inst)).join(HINT)
    case 'too_small':
      return `expected ${amount(issue.origin, issue.minimum)} or more, found ${size(issue.input)}`
    case 'too_big':
      return `expected ${amount(issue.origin, issue.maximum)} or less, found ${size(issue.input)}`
    case 'invalid_format':
      return `expected a text that matches ${issue.pattern ?? issue.format}, found ${found(issue.input)}`
    case 'invalid_key':
      return 'not a legal key'
    case 'custom':
    case 'invalid_union':
    case 'invalid_element':
    case 'not_multiple_of':
      return undefined
  }
  return undefined
}

/** Where another type belongs, a text may be a secret in the wrong place: only what is too short for one is quoted. */
const foundElsewhere = (input: unknown): string =>
  typeof input === 'string' && input.length >= 8 ? 'a text' : found(input)

const noun = (expected: string): string => NOUNS[expected] ?? expected
const amount = (origin: string, limit: number | bigint): string =>
  origin === 'array' ? `a list of ${limit}` : origin === 'string' ? `a text of ${limit} characters` : String(limit)
const withHint = (message: string, hint: string | undefined): string =>
  hint === undefined ? message : message + HINT + hint
const size = (input: unknown): string =>
  Array.isArray(input) || typeof input === 'string' ? String(input.length) : found(input)

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `"${values[0]}"` : `one of ${values.map((value) => `"${value}"`).join(', ')}`
}

function typeHint(expected: string, input: unknown): string | undefined {
  if (expected === 'string' && (typeof input === 'number' || typeof input === 'boolean')) return 'put it in quotes'
  if (expected === 'array' && typeof input === 'string') return 'write it as a list, also when it is one item'
  return undefined
}

function shapeOf(schema: unknown): Record<string, unknown> {
  return (schema as { _zod?: { def?: { shape?: Record<string, unknown> } } } | undefined)?._zod?.def?.shape ?? {}
}

function issueFaults(root: Located, base: readonly PropertyKey[], issue: Issue): Fault[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'invalid_union') {
    const branch = bestBranch(issue.errors)
    // Nothing fits better than the others: the union's own message names them all.
    return branch ? branch.flatMap((inner) => issueFaults(root, path, inner)) : [atValue(root, path, issue.message)]
  }
  if (issue.code === 'invalid_key') return [keyFault(root, path, issue)]
  if (issue.code !== 'unrecognized_keys') return [atValue(root, path, issue.message)]
  const known = issue.message.split(HINT)
  return issue.keys.map((key) =>
    fileError(keyPositionOf(root, [...path, key]), `unknown key "${key}"`, suggest(key, known)),
  )
}

/** Of the alternatives of a union the one whose kind fits: its faults lie deeper, or are unknown keys. */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const deeper = (issue: Issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'
  return branches.find((issues) => issues.length > 0 && issues.every(deeper))
}

function keyFault(root: Located, path: readonly PropertyKey[], issue: z.core.$ZodIssueInvalidKey): Fault {
  const [inner] = issue.issues
  return fileError(keyPositionOf(root, path), inner?.message ?? issue.message)
}

function atValue(root: Located, path: readonly PropertyKey[], text: string): Fault {
  const [message = '', hint] = text.split(HINT)
  const at: Position = positionOf(root, path)
  const missing = path.at(-1)
  // A key that is missing has no place: the fault stands at its map and names the key.
  if (message === MISSING && missing !== undefined) {
    return fileError(
      { ...at, path: joinPath(at.path, typeof missing === 'number' ? missing : String(missing)) },
      message,
      hint,
    )
  }
  return fileError(at, message, hint)
}
