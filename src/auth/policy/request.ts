import type { Entry } from '../../model/catalogue.ts'
import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { ACTION_OF, HINTS } from './vocabulary.ts'
import type { ActionName, TargetKind } from './vocabulary.ts'

/** What a call wants to use, or a list wants to show. Decisions are cached by the identity of this object. */
export interface Target {
  readonly kind: TargetKind
  /** Shown name of a tool or prompt, URI of a resource, URI template of a template. */
  readonly name: string
  /** Absent for what no backend offers, like composite tools. */
  readonly backend: string | undefined
  /** Hints of a tool; only booleans count. */
  readonly annotations?: JsonObject | undefined
}

/** Of one call; everything in it but `arguments` is known when lists are made. */
export interface PolicyRequest {
  principal: Principal
  target: Target
  /** As received. */
  arguments?: JsonObject | undefined
  origin: 'client' | 'workflow'
  /** Name of the composite tool, of a step. */
  workflow?: string | undefined
}

export const actionOf = (target: Target): ActionName => ACTION_OF[target.kind]

export function hintsOf(target: Target): Partial<Record<string, boolean>> {
  const hints: Partial<Record<string, boolean>> = {}
  const given = target.annotations
  if (!given) return hints
  for (const name of HINTS) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (typeof value === 'boolean') hints[name] = value
  }
  return hints
}

const targets: Readonly<Record<TargetKind, WeakMap<Entry, Target>>> = {
  tool: new WeakMap(),
  prompt: new WeakMap(),
  resource: new WeakMap(),
  template: new WeakMap(),
}

/**
 * The target of a catalogue's entry: always the same object of the same entry and kind. A template that is named as if it
 * were a resource is judged as one, by its own text; a resource in the place of a template stands for itself only.
 */
export function targetOf(kind: TargetKind, entry: Entry): Target {
  const { shown, route, definition } = entry
  const own = kind === 'template' && definition['uriTemplate'] === undefined ? 'resource' : kind
  let target = targets[own].get(entry)
  if (!target) {
    const { annotations } = definition
    target = {
      kind: own,
      name: shown,
      backend: route.kind === 'backend' ? route.backend : undefined,
      ...(isObject(annotations) ? { annotations } : {}),
    }
    targets[own].set(entry, target)
  }
  return target
}
