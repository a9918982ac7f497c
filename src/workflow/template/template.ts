import { isDeep, type JsonValue } from '../../model/json.ts'
import { type Budget, run, startBudget } from './evaluate.ts'
import { TemplateError, type TemplateFault } from './fault.ts'
import { readBoolean } from './operations.ts'
import { isFault, type ParsedTemplate, parseTemplate } from './parse.ts'
import type { Key } from './tree.ts'
import { describe, isAbsent, missing, type Result, spell } from './values.ts'

/** What a template gives whose one path leads nowhere. */
export const MISSING: unique symbol = Symbol('missing')

export interface EvaluateOptions {
  /** The clock: milliseconds since the epoch. */
  readonly now: number
}

/**
 * The value of a template. A single expression keeps its type, and shares its structure with the scope: not to be
 * changed. Roots are the own members of `scope`, which holds JSON. Throws `TemplateError`.
 */
export function evaluate(
  template: ParsedTemplate,
  scope: object,
  options: EvaluateOptions,
): JsonValue | typeof MISSING {
  const value = resultOf(template, scope, options, startBudget())
  return isAbsent(value) ? MISSING : value
}

/** Of a condition: a boolean, or a text that spells one. Everything else, and nothing, throws `TemplateError`. */
export function evaluateCondition(template: ParsedTemplate, scope: object, options: EvaluateOptions): boolean {
  const value = resultOf(template, scope, options, startBudget())
  if (isAbsent(value)) throw missing(value)
  const spelled = typeof value === 'string' ? readBoolean(value.trim()) : value
  if (typeof spelled === 'boolean') return spelled
  throw new TemplateError('type', `a condition must give true or false, got ${describe(value)}`, 0)
}

/** A value in which every string is a template. Names of members are not. */
export interface ParsedValue {
  /** Its templates with their places. Texts without actions are not among them. */
  readonly templates: readonly { readonly path: readonly Key[]; readonly template: ParsedTemplate }[]
  readonly root: ValueNode
}

type ValueNode =
  | { readonly kind: 'constant'; readonly value: JsonValue }
  | { readonly kind: 'template'; readonly template: ParsedTemplate }
  | { readonly kind: 'list'; readonly items: readonly ValueNode[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, ValueNode])[] }

/** Why a string in a value is not a template. */
export interface ValueFault extends TemplateFault {
  /** Place in the value. */
  readonly path: readonly Key[]
}

const MAX_LEVELS = 100

/** Reads all templates in a value. All faults are told. */
export function parseValue(value: JsonValue): ParsedValue | { readonly faults: readonly ValueFault[] } {
  if (isDeep(value, MAX_LEVELS)) {
    return { faults: [{ message: `nested more than ${MAX_LEVELS} deep`, offset: 0, path: [] }] }
  }
  const templates: { path: readonly Key[]; template: ParsedTemplate }[] = []
  const faults: ValueFault[] = []
  const root = read(value, [])
  return faults.length > 0 ? { faults } : { templates, root }

  function read(value: JsonValue, path: readonly Key[]): ValueNode {
    if (typeof value === 'string') return readText(value, path)
    if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return { kind: 'constant', value }
    if (Array.isArray(value)) return { kind: 'list', items: value.map((item, at) => read(item, [...path, at])) }
    const members = Object.entries(value).flatMap(([key, item]) =>
      item === undefined ? [] : [[key, read(item, [...path, key])] as const],
    )
    return { kind: 'object', members }
  }

  function readText(text: string, path: readonly Key[]): ValueNode {
    const template = parseTemplate(text)
    if (isFault(template)) {
      faults.push({ ...template, path })
      return { kind: 'constant', value: text }
    }
    if (template.dialect === 'literal') return { kind: 'constant', value: text }
    templates.push({ path, template })
    return { kind: 'template', template }
  }
}

export interface EvaluateValueOptions extends EvaluateOptions {
  /** Whether a member (its place in the value) is left out when it is missing. Without it none is. */
  readonly isOptional?: (path: readonly Key[]) => boolean
}

/**
 * The value with all its templates evaluated, on one account of steps and output. Throws `TemplateError` whose
 * message names the place in the value.
 */
export function evaluateValue(parsed: ParsedValue, scope: object, options: EvaluateValueOptions): JsonValue {
  const budget = startBudget()
  return build(parsed.root, [])

  function build(node: ValueNode, path: readonly Key[]): JsonValue {
    if (node.kind === 'constant') return node.value
    if (node.kind === 'list') return node.items.map((item, at) => build(item, [...path, at]))
    if (node.kind === 'template') return needAt(valueOf(node.template, path), path)
    const members: [string, JsonValue][] = []
    for (const [key, child] of node.members) {
      const place = [...path, key]
      if (child.kind !== 'template') members.push([key, build(child, place)])
      else {
        const value = valueOf(child.template, place)
        if (!isAbsent(value) || options.isOptional?.(place) !== true) members.push([key, needAt(value, place)])
      }
    }
    // Defines own members, so that one named __proto__ is one as well.
    return Object.fromEntries(members)
  }

  function valueOf(template: ParsedTemplate, path: readonly Key[]): Result {
    try {
      return resultOf(template, scope, options, budget)
    } catch (error) {
      throw error instanceof TemplateError ? placed(error, path) : error
    }
  }

  function needAt(value: Result, path: readonly Key[]): JsonValue {
    if (isAbsent(value)) throw placed(missing(value), path)
    return value
  }
}

function placed({ code, message, offset, path }: TemplateError, place: readonly Key[]): TemplateError {
  return new TemplateError(code, place.length === 0 ? message : `${spell('', place)}: ${message}`, offset, path)
}

function resultOf(
  { tree, single, dialect, text }: ParsedTemplate,
  scope: object,
  { now }: EvaluateOptions,
  budget: Budget,
): Result {
  return dialect === 'literal' ? text : run(tree, single, scope, now, budget)
}
