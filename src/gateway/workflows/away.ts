import { couldBelong } from '../../aggregation/conflicts.ts'
import type { BackendSpec, BackendState } from '../../model/backend.ts'
import type { AggregationSettings } from '../../model/settings.ts'

/** A backend that has not told what it offers, with its state of now. */
interface Away {
  readonly spec: Pick<BackendSpec, 'id'>
  readonly state: BackendState
}

/** Backends that may have a tool of that name. */
export type MayHave = (tool: string) => readonly Away[]

/** Some of those that are away: the ones that a name points at, or all where names say nothing. */
export function mayHave(away: readonly Away[], settings: AggregationSettings, configured: number): MayHave {
  return (tool) => {
    const meant = away.filter(
      ({ spec: { id } }) => tool.startsWith(`${id}.`) || couldBelong(tool, id, settings, configured),
    )
    return meant.length > 0 ? meant : away
  }
}

/** Why nobody knows what these tools take, with the way out. */
export function whyUnknown(tools: readonly string[], of: MayHave): string {
  const causes = new Set(tools.flatMap((tool) => of(tool)).map(causeOf))
  const names = tools.map((tool) => `"${tool}"`).join(', ')
  const why = causes.size === 0 ? 'a backend has not answered' : [...causes].join('; ')
  return `${names} ${tools.length === 1 ? 'is' : 'are'} not known yet: ${why}`
}

function causeOf({ spec: { id }, state }: Away): string {
  switch (state.kind) {
    case 'failing': {
      const { message, hint } = state.fault
      return `backend "${id}" cannot be reached: ${message}${hint === undefined ? '' : ` (${hint})`}`
    }
    case 'connecting':
      return `backend "${id}" is still connecting (try again in a moment)`
    case 'disabled':
      return `backend "${id}" is disabled in the configuration`
    case 'ready':
      return `backend "${id}" tells its tools only to those who have signed in`
  }
}
