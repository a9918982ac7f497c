import type { Place } from './faults.ts'

/** A step waits for another one because of what stands at `at`. */
export interface Edge {
  readonly to: number
  readonly at: Place
}

/** A circle of steps, the first one named twice, and what closes it. */
export interface Circle {
  readonly steps: readonly number[]
  readonly at: Place
}

/**
 * The steps in an order in which each comes behind those it waits for; among those that could come next, the first of
 * the definition. Or the circles that forbid one.
 */
export function order(edges: readonly (readonly Edge[])[]): { order: readonly number[]; circles: readonly Circle[] } {
  const circles = findCircles(edges)
  if (circles.length > 0) return { order: [], circles }
  const waiting = edges.map((of) => new Set(of.map((edge) => edge.to)))
  const result: number[] = []
  const placed = new Set<number>()
  while (result.length < edges.length) {
    const next = waiting.findIndex((of, step) => !placed.has(step) && [...of].every((one) => placed.has(one)))
    if (next === -1) break
    placed.add(next)
    result.push(next)
  }
  return { order: result, circles }
}

/** Steps that all wait for each other close thousands of circles. */
const MAX_TOLD = 10

function findCircles(edges: readonly (readonly Edge[])[]): Circle[] {
  const circles: Circle[] = []
  const done = new Set<number>()
  const trail: number[] = []
  const visit = (step: number): void => {
    trail.push(step)
    for (const { to, at } of edges[step] ?? []) {
      const start = trail.indexOf(to)
      if (start !== -1 && circles.length < MAX_TOLD) circles.push({ steps: [...trail.slice(start), to], at })
      else if (start === -1 && !done.has(to)) visit(to)
    }
    trail.pop()
    done.add(step)
  }
  for (const step of edges.keys()) if (!done.has(step)) visit(step)
  return circles
}
