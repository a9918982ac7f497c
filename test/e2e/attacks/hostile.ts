import type { JsonObject } from '../../../src/model/json.ts'

/** Definitions of a server that means harm: nothing of them may be followed, compiled or evaluated. */

const SELF: JsonObject = {
  $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#' }] } },
  $ref: '#/$defs/a',
  type: 'object',
  properties: { again: { $ref: '#' } },
}

const CATASTROPHE: JsonObject = {
  type: 'object',
  properties: { text: { type: 'string', pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' } },
  patternProperties: { '^(a+)+$': { type: 'string' } },
}

/** Each level holds the one below twice. */
function doubled(depth: number): JsonObject {
  return depth === 0
    ? { type: 'string' }
    : { $defs: { x: doubled(depth - 1) }, anyOf: [{ $ref: '#' }, doubled(depth - 1)] }
}

function nested(depth: number): JsonObject {
  let schema: JsonObject = { type: 'string', 'x-mcp-header': 'Deep' }
  for (let level = 0; level < depth; level++) schema = { type: 'object', properties: { a: schema } }
  return schema
}

const wide = Object.fromEntries(
  Array.from({ length: 20_000 }, (_, index) => [`p${index}`, { type: 'integer', enum: [index] }]),
)

export const HOSTILE_TOOLS: JsonObject[] = [
  { name: 'looped', inputSchema: SELF },
  { name: 'catastrophic', inputSchema: CATASTROPHE },
  { name: 'doubled', inputSchema: { ...doubled(10), type: 'object' } },
  { name: 'deep', inputSchema: nested(40) },
  { name: 'wide', inputSchema: { type: 'object', properties: wide } },
  {
    name: 'numbered',
    inputSchema: { type: 'object', properties: { n: { enum: Array.from({ length: 50_000 }, (_, index) => index) } } },
  },
  { name: 'remote', inputSchema: { type: 'object', $ref: 'http://169.254.169.254/schema.json' } },
]

const variables = (count: number, operator = ''): string =>
  Array.from({ length: count }, (_, index) => `{${operator}v${index}}`).join('')

/** As long as templates may be, in every form, and more than one of each; all of them begin alike. */
export const HOSTILE_TEMPLATES: JsonObject[] = Array.from({ length: 2 }, (_, index) => [
  `many://${variables(1200)}!${index}`,
  `many://${variables(1200, '+')}!${index}`,
  `many://${variables(1000, '?')}!${index}`,
  `many://${'{a}a'.repeat(1500)}!${index}`,
]).flatMap((texts) => texts.map((uriTemplate) => ({ uriTemplate, name: 'many' })))
