import { suggest } from '../../model/nearest.ts'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { Scope } from '../plan.ts'
import type { Path } from './faults.ts'
import type { Reading, Variable } from './reading.ts'
import { checkMentions } from './mentions.ts'
import type { Draft } from './draft.ts'
import { follow, later, type Shape, UNKNOWN, valueAt } from './shapes.ts'
import { isLiteral, readText, valueOf } from './texts.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/u
/** What authors put before a path into the output. */
const START = /^(?:\$\.|\.?output\.|\.)/u

/**
 * Reads `outputMapping`: names, seen by all templates as `vars.NAME`, for parts of a step's output. A part is a path
 * (`commit.sha`), or a template.
 */
export function readVariables({ steps }: AuthoredCompositeTool, reading: Reading): void {
  const { error } = reading.ledger
  for (const [owner, step] of steps.entries()) {
    for (const [name, source] of Object.entries(step.outputMapping ?? {})) {
      const at: Path = ['steps', owner, 'outputMapping', name]
      if (!NAME.test(name)) error({ path: at }, `"${name}" cannot be the name of a variable`)
      else if (reading.variables.has(name)) error({ path: at }, `a second variable "${name}"`)
      else if (typeof source !== 'string' || source === '') {
        error({ path: at }, 'expected a path into the output, or a template')
      } else {
        const from = readSource(source, at, step.id, reading)
        if (from) reading.variables.set(name, { owner, at, ...from })
      }
    }
  }
}

function readSource(
  source: string,
  at: Path,
  id: string,
  reading: Reading,
): Pick<Variable, 'from' | 'read'> | undefined {
  const pen = { reading, texts: [] }
  const text = readText(source, at, 'optional', pen)
  if (!text) return undefined
  const other = text.template.mentions.find(({ path: [root] }) => root === 'vars')
  if (other) {
    // They could lead in circles.
    reading.ledger.error({ path: at, offset: other.offset }, 'a variable cannot be made of variables', 'read the steps')
    return undefined
  }
  if (!isLiteral(text)) return { from: { text }, read: valueOf(text, pen) }
  const path = source.replace(START, '').split('.')
  const read = ({ steps }: Scope) => valueAt(Object.hasOwn(steps, id) ? steps[id]?.output : undefined, path)
  return { from: { path }, read }
}

/** What a variable holds, as far as the output of its step is declared. */
export const variableShape = ({ owner, from }: Variable, drafts: ReadonlyMap<string, Draft>, { ids }: Reading): Shape =>
  later(() => {
    const draft = [...drafts.values()].find(({ id }) => ids.get(id) === owner)
    if (!draft || 'text' in from) return UNKNOWN
    const end = follow(draft.output, from.path)
    return end.end === 'reached' ? end.shape : UNKNOWN
  })

/** Checks that the parts are there that variables name. */
export function checkVariables(drafts: ReadonlyMap<string, Draft>, reading: Reading): void {
  for (const { owner, at, from } of reading.variables.values()) {
    if ('text' in from) {
      checkMentions({ texts: [from.text], inside: new Map(), id: undefined }, drafts, reading)
      continue
    }
    const draft = [...drafts.values()].find(({ id }) => reading.ids.get(id) === owner)
    const end = draft && follow(draft.output, from.path)
    if (!draft || end?.end !== 'absent') continue
    const key = from.path[end.at] ?? ''
    reading.ledger.error({ path: at }, `the output of "${draft.id}" has no "${key}"`, suggest(key, end.names))
  }
}
