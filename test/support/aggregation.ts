import { buildCatalogue, type Contribution } from '../../src/aggregation/build.ts'
import type { Claims } from '../../src/aggregation/claims.ts'
import type { Catalogue, Merged } from '../../src/model/catalogue.ts'
import { backendId } from '../../src/model/ids.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { AggregationSettings, ToolSettings } from '../../src/model/settings.ts'

export const NO_CLAIMS: Claims = new Map()

export const tool = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  inputSchema: { type: 'object' },
  ...more,
})

type Offer = {
  tools?: JsonObject[]
  prompts?: JsonObject[]
  resources?: JsonObject[]
  templates?: JsonObject[]
  instructions?: string
}

/** A reachable backend. A string stands for a plain tool of that name. */
export function offers(backend: string, offer: Offer | readonly string[]): Contribution {
  const lists = Array.isArray(offer) ? { tools: offer.map((name) => tool(name)) } : (offer as Offer)
  return {
    backend: backendId(backend),
    lists: { tools: [], prompts: [], resources: [], templates: [], ...lists },
    reachable: true,
  }
}

export const down = (contribution: Contribution): Contribution => ({ ...contribution, reachable: false })
export const silent = (backend: string): Contribution => ({
  backend: backendId(backend),
  lists: undefined,
  reachable: false,
})

function settings(some: Partial<AggregationSettings> = {}): AggregationSettings {
  return {
    strategy: 'prefix',
    prefixFormat: '{workload}_',
    prefixExplicit: false,
    onlyOnConflict: false,
    priorityOrder: [],
    vendors: new Set(),
    excludeAllTools: false,
    defaultToolVisibility: 'allow',
    tools: new Map(),
    ...some,
  }
}

export const toolSettings = (backend: string, some: Partial<ToolSettings>): ReadonlyMap<string, ToolSettings> =>
  new Map([[backend, { overrides: {}, excludeAll: false, ...some }]])

export const build = (
  contributions: readonly Contribution[],
  some: Partial<AggregationSettings> = {},
  claims: Claims = NO_CLAIMS,
): Merged => buildCatalogue(contributions, settings(some), claims, 1)

/** `shown <- backend/native`, with a mark when not listed: what a person would want to compare. */
export const lines = (
  catalogue: Catalogue,
  list: 'tools' | 'prompts' | 'resources' | 'templates' = 'tools',
): string[] =>
  [...catalogue[list]].map(([shown, { route, visibility }]) => {
    const mark = visibility === 'listed' ? '' : ` (${visibility})`
    const origin = route.kind === 'backend' ? `${route.backend}/${route.native}` : `workflow ${route.workflow}`
    return `${shown} <- ${origin}${mark}`
  })
