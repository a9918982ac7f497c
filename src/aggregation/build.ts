import type { BackendEntry, Conflict, ListKind, Merged } from '../model/catalogue.ts'
import type { NativeName, ShownName } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import type { AggregationSettings } from '../model/settings.ts'
import { collect } from './candidates.ts'
import type { Claims } from './claims.ts'
import { judge, strategyOf } from './conflicts.ts'
import type { Contribution } from './contribution.ts'
import { mergeExtensions } from './extensions.ts'
import { instructionParts, mergeInstructions } from './instructions.ts'
import { KINDS, type Kind } from './kinds.ts'
import { report } from './report.ts'
import { settle, wishesOf } from './settle.ts'

export type { Contribution } from './contribution.ts'

const NOTHING: ReadonlySet<string> = new Set()

/**
 * Merges what the backends offer into one catalogue (contract 4). Contributions come in configured order: that is the listing
 * order. `claims` are the shown names already settled. The same inputs give the same catalogue; nothing is thrown, whatever the
 * backends send: what cannot be shown is left out and told in `notes` or `conflicts`.
 */
export function buildCatalogue(
  contributions: readonly Contribution[],
  settings: AggregationSettings,
  claims: Claims,
  version: number,
  /** Names that composite tools have: no tool of a backend is shown under them. */
  reserved: ReadonlySet<string> = NOTHING,
): Merged {
  const conflicts: Conflict[] = []
  const notes: string[] = []

  const merge = (list: ListKind): ReadonlyMap<string, BackendEntry> => {
    const kind: Kind = KINDS[list]
    const field = collect(kind, contributions, settings, claims, notes)
    const strategy = strategyOf(kind, settings, contributions.length)
    const { verdicts, clashes } = judge(kind, field, strategy, settings)
    const { wishes, settled } = wishesOf(kind, field, verdicts, strategy.forms, settings.prefixFormat)
    const taken = list === 'tools' ? reserved : NOTHING
    const names = settle(kind, wishes, settled, field.held, taken)
    const told = report(kind, clashes, wishes, names, taken)
    conflicts.push(...told.conflicts)
    notes.push(...told.notes)

    const entries = new Map<string, BackendEntry>()
    for (const candidate of field.candidates) {
      const shown = names.get(candidate)
      if (shown === undefined || candidate.definition === undefined) continue
      const conflict = told.explained.get(candidate)
      entries.set(shown, {
        shown: shown as ShownName,
        route: { kind: 'backend', backend: candidate.backend, native: candidate.native as NativeName },
        visibility: candidate.visibility,
        definition: identified(candidate.definition, kind.key, shown),
        ...(conflict !== undefined && { conflict }),
      })
    }
    return entries
  }

  const [tools, prompts] = [merge('tools'), merge('prompts')]
  const [resources, templates] = [merge('resources'), merge('templates')]
  const parts = instructionParts(contributions)
  const instructions = mergeInstructions(parts)
  const extensions = mergeExtensions(contributions, settings.vendors)
  return {
    version,
    tools,
    prompts,
    resources,
    templates,
    ...(instructions !== undefined && { instructions, instructionParts: parts }),
    ...(extensions !== undefined && { extensions }),
    conflicts,
    notes,
  }
}

function identified(definition: JsonObject, key: Kind['key'], shown: string): JsonObject {
  return definition[key] === shown ? definition : { ...definition, [key]: shown }
}
