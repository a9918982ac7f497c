import type { AggregationSettings } from '../model/settings.ts'

/** Whether clients may see a tool, by its name after overrides and before prefixes. Hidden tools stay usable for workflow steps. */
export type Visible = (name: string) => boolean

const everything: Visible = () => true
const nothing: Visible = () => false

/** Precedence as in ToolHive; like there, an empty filter filters nothing. */
export function visibilityOf(settings: AggregationSettings, backend: string): Visible {
  if (settings.excludeAllTools) return nothing
  const own = settings.tools.get(backend)
  if (own === undefined) return settings.defaultToolVisibility === 'allow' ? everything : nothing
  if (own.excludeAll) return nothing
  if (own.filter === undefined || own.filter.length === 0) return everything
  const allowed = new Set(own.filter)
  return (name) => allowed.has(name)
}
