import { randomUUID } from 'node:crypto'
import type { Question } from '../model/call.ts'
import { isBefore } from './revisions.ts'

/** A question as a legacy client of this revision knows it: URL elicitations by an id (2025-11-25, "URL Mode"), older ones no modes. */
export function legacyQuestion({ method, params }: Question, revision: string): Question {
  if (method !== 'elicitation/create') return { method, params }
  if (params['mode'] === 'url') return { method, params: { elicitationId: randomUUID(), ...params } }
  if (!isBefore(revision, '2025-11-25')) return { method, params }
  const { mode: _, ...plain } = params
  return { method, params: plain }
}
