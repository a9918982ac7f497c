import type { Conflict, ListKind } from '../model/catalogue.ts'
import { guardName } from './names.ts'

/** How one kind of list differs from the others. */
export interface Kind {
  list: ListKind
  kind: Conflict['kind']
  /** The field of a definition that identifies it. */
  key: 'name' | 'uri' | 'uriTemplate'
  /** What clients may be shown for this identifier. */
  guard: (name: string) => string
  /** What an operator can do about a clash. */
  wayOut: (backend: string, native: string) => string
}

const unchanged = (name: string): string => name

export const KINDS = {
  tools: {
    list: 'tools',
    kind: 'tool',
    key: 'name',
    guard: guardName,
    wayOut: (backend, native) =>
      `rename one of them, for example with aggregation.tools[workload: ${backend}].overrides[${native}].name`,
  },
  prompts: {
    list: 'prompts',
    kind: 'prompt',
    key: 'name',
    guard: unchanged,
    wayOut: () => 'prompts cannot be renamed: use aggregation.conflictResolution: prefix to get them all',
  },
  resources: {
    list: 'resources',
    kind: 'resource',
    key: 'uri',
    guard: unchanged,
    wayOut: () => 'URIs are never rewritten: change the order of the backends to get the other one',
  },
  templates: {
    list: 'templates',
    kind: 'template',
    key: 'uriTemplate',
    guard: unchanged,
    wayOut: () => 'URIs are never rewritten: change the order of the backends to get the other one',
  },
} as const satisfies Record<ListKind, Kind>
