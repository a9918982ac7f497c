import type { Expr, PolicyJson } from './cedar.ts'
import { ancestry } from './entities.ts'
import type { Entities } from './entities.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { attributesRead, operator, uidIn, variableOf } from './syntax.ts'
import { ACTIONS } from './vocabulary.ts'

const { entity: TYPE, operation, feature } = ACTIONS.read_resource

/** What is known of every URI that comes from a URI template (RFC 6570). */
export interface Expansion {
  /** It begins with this. */
  head: string
  /** And ends with this, which no character of `head` is part of. */
  tail: string
  /** The template has no expression: the one URI is `head`. */
  only: boolean
  /** What all of them are in, as `uidText`. */
  above: ReadonlySet<string>
  /** What else some of them may be in. */
  maybe: ReadonlySet<string>
}

/** As the resolver of URIs reads templates: what is no whole expression is text. */
const EXPRESSION = /\{[^{}]*\}/gu

/** `parents`: what the resources of the template's backend are in. */
export function expansionOf(template: string, parents: Iterable<string>, entities: Entities): Expansion {
  const expressions = [...template.matchAll(EXPRESSION)]
  const [first, last] = [expressions[0], expressions.at(-1)]
  const only = first === undefined || last === undefined
  const head = only ? template : template.slice(0, first.index)
  const tail = only ? '' : template.slice(last.index + last[0].length)
  const texts = { head, tail, only }
  const named = [...entities].flatMap(([key, { uid }]) => {
    const { type, id } = uidOf(uid)
    return type === TYPE && mayBe(id, texts) ? [key] : []
  })
  return { ...texts, above: ancestry(entities, parents), maybe: ancestry(entities, named) }
}

type Texts = Pick<Expansion, 'head' | 'tail' | 'only'>

const mayBe = (uri: string, { head, tail, only }: Texts): boolean =>
  only ? uri === head : uri.length >= head.length + tail.length && uri.startsWith(head) && uri.endsWith(tail)

/** True, false, or neither for all URIs of the template. */
type Truth = boolean | undefined

const isUri = (uri: string, of: Texts): Truth => (!mayBe(uri, of) ? false : of.only ? true : undefined)

const isEntity = ({ type, id }: Uid, of: Expansion): Truth => (type === TYPE ? isUri(id, of) : false)

function isIn(uid: Uid, of: Expansion): Truth {
  const key = uidText(uid)
  if (of.above.has(key)) return true
  const itself = isEntity(uid, of)
  return itself === false && of.maybe.has(key) ? undefined : itself
}

/** Whether any is true. */
const any = (truths: readonly Truth[]): Truth =>
  truths.includes(true) ? true : truths.includes(undefined) ? undefined : false

type Piece = 'Wildcard' | { Literal: string }

/** A pattern that begins or ends with a wildcard has an empty text there. */
function textsOf(pattern: readonly Piece[]): string[] {
  const texts = ['']
  for (const piece of pattern)
    if (piece === 'Wildcard') texts.push('')
    else texts.push((texts.pop() ?? '') + piece.Literal)
  return texts
}

/** Whether a text is these texts with anything between them. */
function fits(text: string, texts: readonly string[]): boolean {
  const [begin = '', ...rest] = texts
  const end = rest.pop()
  if (end === undefined) return text === begin
  if (text.length < begin.length + end.length || !text.startsWith(begin) || !text.endsWith(end)) return false
  let at = begin.length
  for (const middle of rest) {
    const found = text.indexOf(middle, at)
    if (found === -1) return false
    at = found + middle.length
  }
  return at <= text.length - end.length
}

function isLike(pattern: readonly Piece[], { head, tail, only }: Texts): Truth {
  const texts = textsOf(pattern)
  if (only) return fits(head, texts)
  const [begin = '', end = ''] = [texts[0], texts.at(-1)]
  if (texts.length === 1) return isUri(begin, { head, tail, only }) === false ? false : undefined
  if (!head.startsWith(begin) && !begin.startsWith(head)) return false
  if (!tail.endsWith(end) && !end.endsWith(tail)) return false
  // Whatever stands between head and tail, one of the wildcards takes it.
  const always = texts.some(
    (_, place) => place > 0 && fits(head, [...texts.slice(0, place), '']) && fits(tail, ['', ...texts.slice(place)]),
  )
  return always ? true : undefined
}

const literalOf = (expr: Expr): unknown => ('Value' in expr ? expr.Value : undefined)

const itemsOf = (expr: Expr): readonly Expr[] => ('Set' in expr ? expr.Set : [expr])

const isResource = (expr: Expr): boolean => variableOf(expr) === 'resource'

/** The attribute of the resource that an expression is. */
function attributeOf(expr: Expr): string | undefined {
  if (!('.' in expr)) return undefined
  const { left, first, rest } = attributesRead(expr['.'])
  return isResource(left) && rest.length === 0 ? first : undefined
}

const isName = (expr: Expr): boolean => ['name', 'uri'].includes(attributeOf(expr) ?? '')

const FIXED: Readonly<Record<string, string>> = { operation, feature }

/** Whether the resource, or an attribute of it, equals something that is written out. */
function equals(left: Expr, right: Expr, of: Expansion): Truth {
  const uid = uidIn(right)
  if (isResource(left)) return uid && isEntity(uid, of)
  const text = literalOf(right)
  if (typeof text !== 'string') return undefined
  if (isName(left)) return isUri(text, of)
  const attribute = attributeOf(left)
  const fixed = attribute !== undefined && Object.hasOwn(FIXED, attribute) ? FIXED[attribute] : undefined
  return fixed === undefined ? undefined : fixed === text
}

function isInAny(expr: Expr, of: Expansion): Truth {
  const uids = itemsOf(expr).map(uidIn)
  // What is no entity fails.
  return uids.every((uid) => uid !== undefined) ? any(uids.map((uid) => isIn(uid, of))) : undefined
}

/** What a comparison with the resource says of all URIs of the template. It cannot fail when this is known. */
export function truthOf(expr: Expr, of: Expansion): Truth {
  const [name, body] = operator(expr)
  const { left, right } = body as { left: Expr; right: Expr }
  switch (name) {
    case '==':
    case '!=': {
      const same = equals(left, right, of) ?? equals(right, left, of)
      return same === undefined ? undefined : same === (name === '==')
    }
    case 'like':
      return isName(left) ? isLike((body as { pattern: readonly Piece[] }).pattern, of) : undefined
    case 'in':
      return isResource(left) ? isInAny(right, of) : undefined
    case 'contains':
      // Of items that are computed, some might fail.
      if (!('Set' in left) || !itemsOf(left).every((item) => 'Value' in item)) return undefined
      return any(itemsOf(left).map((item) => (uidIn(item) || !isResource(right) ? equals(right, item, of) : false)))
    case 'is': {
      const { entity_type: type, in: within } = body as { entity_type: string; in?: Expr }
      if (!isResource(left)) return undefined
      return type !== TYPE ? false : within ? isInAny(within, of) : true
    }
    case 'has': {
      const { left: base, first, rest } = attributesRead(body)
      const has = isResource(base) && rest.length === 0 && ['name', 'uri', ...Object.keys(FIXED)].includes(first)
      return has ? true : undefined
    }
    default:
      return undefined
  }
}

/** Whether the resource of a policy's scope takes all URIs of the template in. */
export function scopeTruth({ resource }: PolicyJson, of: Expansion): Truth {
  if (resource.op === 'is') {
    if (resource.entity_type !== TYPE) return false
    return resource.in && 'entity' in resource.in ? isIn(uidOf(resource.in.entity), of) : true
  }
  if (!('entity' in resource)) return true
  const uid = uidOf(resource.entity)
  return resource.op === '==' ? isEntity(uid, of) : isIn(uid, of)
}
