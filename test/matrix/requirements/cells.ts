import type { FeatureName, LegKind } from './features.ts'
import { FEATURES, ruledOut } from './features.ts'
import type { Requirement } from './row.ts'
import { ERAS, WIRES } from './row.ts'

interface Cell extends Requirement {
  feature: FeatureName
  client: LegKind
  backend: LegKind
}

export const LEGS: readonly LegKind[] = ERAS.flatMap((era) => WIRES.map((wire) => ({ era, wire })))

export function cellId(feature: FeatureName, client: LegKind, backend: LegKind): string {
  return `${feature}.${client.era}-${backend.era}.${client.wire}-${backend.wire}`
}

/** Every feature between every client and every backend: era by era, transport by transport. */
export const CELLS: readonly Cell[] = FEATURES.flatMap((feature) =>
  LEGS.flatMap((client) =>
    LEGS.map((backend) => ({
      id: cellId(feature.name, client, backend),
      text: feature.text,
      status: ruledOut(feature, client, backend) ?? ('carried' as const),
      feature: feature.name,
      client,
      backend,
    })),
  ),
)
