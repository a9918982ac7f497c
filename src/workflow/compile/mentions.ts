import { didYouMean, suggest } from '../../model/nearest.ts'
import type { Mention } from '../template/mentions.ts'
import type { Draft } from './draft.ts'
import type { Place } from './faults.ts'
import type { Reading, Text } from './reading.ts'
import { follow, has, type Shape } from './shapes.ts'

/** Who reads a text. */
export interface Reader {
  readonly texts: readonly Text[]
  /** Roots that only some of the texts see. */
  readonly inside: ReadonlyMap<Text, Shape>
  /** Undefined: the output of the whole. */
  readonly id: string | undefined
}

/** Checks every path that the texts of a step, or of the output, mention. */
export function checkMentions(reader: Reader, drafts: ReadonlyMap<string, Draft>, reading: Reading): void {
  const guarded = new Set(
    reader.texts.flatMap(({ purpose, template }) =>
      purpose === 'condition'
        ? template.mentions.flatMap(({ path: [root, id] }) => (root === 'steps' ? [String(id)] : []))
        : [],
    ),
  )
  for (const text of reader.texts) {
    for (const mention of text.template.mentions) {
      const at = { path: text.path, offset: mention.offset }
      const extra = reader.inside.get(text)
      if (!checkPath(mention, at, extra, reader, reading)) continue
      const optional = mention.optional || (text.purpose === 'optional' && text.template.single)
      if (text.purpose === 'condition' || optional || guarded.has(String(mention.path[1]))) continue
      checkGaps(mention, at, drafts, reading)
    }
  }
}

/** False after a fault. */
function checkPath(
  { path, dynamic, optional }: Mention,
  at: Place,
  extra: Shape | undefined,
  reader: Reader,
  reading: Reading,
): boolean {
  const { error, warn } = reading.ledger
  const [root, id, part] = path.map(String)
  if (root === undefined || (root === 'steps' && id === undefined)) {
    const what = root === undefined ? 'everything there is' : 'all steps at once'
    error(at, `a template cannot read ${what}`, 'name the steps, as in steps.ID.output')
    return false
  }
  if (root === 'steps' && id === reader.id) {
    error(at, `the step "${id}" reads itself`)
    return false
  }
  const inner = root === 'steps' && id !== undefined && !reading.ids.has(id) ? reading.inner.get(id) : undefined
  if (inner !== undefined) {
    error(at, `the step "${id}" is inside of the loop "${inner}"`, `read steps.${inner}.output.iterations`)
    return false
  }
  const shape = extra?.kind === 'members' && extra.members.has(root) ? extra : reading.roots.shape
  const end = follow(shape, path)
  switch (end.end) {
    case 'reached':
    case 'unknown':
      return true
    case 'undeclared':
      if (!optional && !(dynamic && end.at >= path.length)) {
        const hint = 'read output.text, or give it a default'
        warn(
          at,
          `the tool of "${id}" declares no output, so nobody knows whether it has "${path.slice(end.at).join('.')}"`,
          hint,
        )
      }
      return true
    case 'absent': {
      const names = extra?.kind === 'members' && end.at === 0 ? [...end.names, ...extra.members.keys()] : end.names
      const key = String(path[end.at])
      const message = `${whatLacks(path, end.at)} "${key}"`
      // What a step never has is a slip, whatever is made of what is missing.
      const tell = optional && end.at > 2 && root !== 'params' ? warn : error
      tell(at, message, hintFor(path, end.at, key, names, part))
      return false
    }
  }
}

function whatLacks(path: Mention['path'], at: number): string {
  const [root, id, part] = path.map(String)
  if (at === 0) return 'templates know no'
  if (root === 'params' || root === 'parameters') {
    return at === 1 ? 'there is no parameter' : `the parameter "${path.slice(1, at).join('.')}" has no`
  }
  if (root === 'vars' && at === 1) return 'there is no variable'
  if (root !== 'steps') return `${path.slice(0, at).join('.')} has no`
  if (at === 1) return 'there is no step'
  if (at === 2) return 'a step has no'
  if (at === 3) return `the ${part} of "${id}" has no`
  return `"${path.slice(3, at).join('.')}" in the ${part} of "${id}" has no`
}

const ELSEWHERE: Readonly<Record<string, string>> = {
  timestamp: 'write now',
  now: 'write (now): it is a helper',
  item: 'in a loop it is forEach.item',
  index: 'in a loop it is forEach.index',
  forEach: 'only a step inside of a loop has it',
  inputs: 'write params',
  args: 'write params',
  arguments: 'write params',
}

function hintFor(
  path: Mention['path'],
  at: number,
  key: string,
  names: readonly string[],
  part: string | undefined,
): string | undefined {
  const shown = names.filter((name) => name !== 'parameters')
  if (at === 0) return (Object.hasOwn(ELSEWHERE, key) ? ELSEWHERE[key] : undefined) ?? suggest(key, shown)
  if (names.length > 0) return at === 1 ? suggest(key, shown) : (didYouMean(key, shown) ?? suggest(key, shown))
  if (at === 1 && path[0] === 'vars') return 'name it in outputMapping'
  if (at === 1) return path[0] === 'steps' ? undefined : 'declare it under parameters'
  return part === 'output' && at > 3 ? 'a text in JSON is read with fromJson' : undefined
}

/** Whether what is read may not be there when the time comes. */
function checkGaps({ path, dynamic }: Mention, at: Place, drafts: ReadonlyMap<string, Draft>, reading: Reading): void {
  const [root, id, part] = path.map(String)
  if (root === 'vars' && id !== undefined) {
    const variable = reading.variables.get(id)
    const owner = variable && [...drafts.values()].find((draft) => reading.ids.get(draft.id) === variable.owner)
    if (owner) tellGaps(owner, [], at, reading)
    return
  }
  const draft = root === 'steps' && part === 'output' && id !== undefined ? drafts.get(id) : undefined
  if (!draft) return
  const rest = path.slice(3)
  if (draft.defaults === undefined) return tellGaps(draft, rest, at, reading)
  const { gaps } = draft
  if (gaps.length === 0 || dynamic || rest.length === 0 || has(draft.defaults, rest)) return
  const message = `"${draft.id}" ${gaps[0]?.why}, and its defaultResults have no "${rest.join('.')}"`
  reading.ledger.warn(at, message, 'add it there, or give it a default here')
}

function tellGaps({ id, gaps }: Draft, rest: Mention['path'], at: Place, { ledger }: Reading): void {
  const gap = gaps.find(({ below }) => below === undefined || (rest.length > 0 && below.includes(String(rest[0]))))
  if (!gap) return
  const message = `"${id}" ${gap.why}, and then its output is not there`
  ledger.warn(at, message, 'give the step defaultResults, or ask for it in a condition or with a default')
}
