import { hash } from 'node:crypto'

import type { JsonValue } from '../../model/json.ts'
import { isEntrance, type Plan, type PlannedLoop } from '../plan.ts'
import type { Body, LoopState, OpenQuestion, Path, RunState } from '../run-state.ts'
import type { Command, Event } from './event.ts'

/** One event on its way through the run, and what comes of it besides the new state. Lives as long as one `advance`. */
export interface Transition {
  readonly run: RunState
  readonly event: Event
  readonly at: number
  /** Active time of the run until now. */
  readonly activeMs: number
  readonly commands: Command[]
  readonly opened: OpenQuestion[]
  /** Ids of questions that are open no more. */
  readonly closed: Set<string>
}

/** Where a step stands. */
export interface Site {
  readonly plan: Plan
  /** As it is while the step is looked at. */
  readonly body: Body
  readonly path: Path
  /** Its id in words. */
  readonly label: string
  /** Only of an iteration. */
  readonly item?: { readonly name: string; readonly value: JsonValue; readonly index: number }
  /** Nothing begins any more. */
  readonly skipping: boolean
}

/** Stable over the attempts of one step of one run, and over restarts. */
export function idempotencyKey(runId: string, path: Path): string {
  return hash('sha256', `${runId}\0${path.join('.')}`, 'base64url')
}

export function isWithin(path: Path, outer: Path): boolean {
  return outer.every((place, depth) => path[depth] === place)
}

/** Where a body is. */
export interface Outer {
  readonly path: Path
  readonly label: string
  readonly skipping: boolean
}

export function siteIn(plan: Plan, body: Body, outer: Outer, place: number): Site {
  const planned = plan.steps[place]
  const id = planned?.id ?? ''
  // Whoever is not let in hears of the step that they know.
  const label = isEntrance(planned) ? outer.label : outer.label === '' ? id : `${outer.label}.${id}`
  return {
    plan,
    body,
    path: [...outer.path, place],
    label,
    skipping: outer.skipping || body.skipping === true,
  }
}

export function siteInLoop(site: Site, planned: PlannedLoop, loop: LoopState, index: number): Site {
  return {
    ...site,
    path: [...site.path, index],
    label: `${site.label}[${index}]`,
    item: { name: planned.itemVar, value: loop.items[index] ?? null, index },
  }
}
