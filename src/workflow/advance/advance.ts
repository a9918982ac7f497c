import type { Plan } from '../plan.ts'
import { type Body, type Failure, isOver, type OpenQuestion, type Outcome, type RunState } from '../run-state.ts'
import { cancelBody } from './cancel.ts'
import { endOfBody } from './conclude.ts'
import type { Command, Event } from './event.ts'
import { fillBody } from './fill.ts'
import { recordLate } from './late.ts'
import { survey } from './survey.ts'
import { touchBody } from './touch.ts'
import type { Outer, Transition } from './transition.ts'

export interface Advanced {
  /** The very object that was given when nothing has changed. */
  readonly run: RunState
  /** In the order in which they are to be performed, after `run` is stored. */
  readonly commands: readonly Command[]
}

/**
 * Takes a run over one event, in two passes: `touchBody` brings it to the steps that it is about, and what ends because
 * of it ends; `fillBody` then begins what can begin, in the order of the definition. Where nothing changes, both hand
 * back the very object that they were given.
 *
 * Pure and total: no clock, no chance, nothing that was given is changed, nothing is thrown. The first event that ends
 * the run wins; a call that ends later is recorded and has no effect.
 */
export function advance(plan: Plan, run: RunState, event: Event): Advanced {
  if (isOver(run)) return { run: late(run, event), commands: [] }
  if ((event.type === 'start') !== (run.revision === 0) && event.type !== 'stop') return { run, commands: [] }
  const transition: Transition = {
    run,
    event,
    at: event.at,
    activeMs: activeMs(run, event),
    commands: [],
    opened: [],
    closed: new Set(),
  }
  if (event.type === 'stop') return end(transition, plan, run.body, { message: event.message, kind: 'ended' }, event.as)
  if (event.type === 'woken' && transition.activeMs >= plan.timeoutMs) {
    const error: Failure = { message: `Took longer than ${plan.timeoutMs} ms`, kind: 'timeout' }
    return end(transition, plan, run.body, error, 'timed_out')
  }
  const touched = touch(transition, plan)
  const isSame = touched === run.body && event.type !== 'start'
  if (isSame && (event.type !== 'restart' || run.status === 'suspended')) return remain(transition)
  const body = touched.failure ? touched : fillBody(transition, plan, touched, ROOT, Infinity)
  if (body.failure) return end(transition, plan, body, body.failure, 'failed')
  const over = endOfBody(transition, plan, body)
  if (!over) return goOn(transition, plan, body)
  return 'output' in over
    ? finish(transition, body, { status: 'completed', output: over.output })
    : finish(transition, body, { status: 'failed', error: { message: over.message, kind: over.kind } })
}

const ROOT: Outer = { path: [], label: '', skipping: false }

function late(run: RunState, event: Event): RunState {
  if (event.type !== 'ended') return run
  const body = recordLate(run.body, event)
  return body === run.body ? run : { ...run, revision: run.revision + 1, body }
}

/** Time stands still while the run waits for the user only, and while nobody performs its commands. */
function activeMs(run: RunState, event: Event): number {
  if (run.activeSince === null || event.type === 'restart') return run.activeMs
  return run.activeMs + Math.max(0, event.at - run.activeSince)
}

function touch(transition: Transition, plan: Plan): Body {
  const { event } = transition
  const { body, questions } = transition.run
  switch (event.type) {
    case 'ended':
    case 'parked':
    case 'resumed':
      return touchBody(transition, plan, body, ROOT, event.path)
    case 'answered': {
      let touched = body
      for (const reply of event.answers) {
        const open = questions.find(({ id }) => id === reply.question)
        if (!open || touched.failure) continue
        transition.closed.add(open.id)
        touched = touchBody({ ...transition, event: { ...event, answers: [reply] } }, plan, touched, ROOT, open.path)
      }
      return touched
    }
    case 'woken':
    case 'restart':
      return touchBody(transition, plan, body, ROOT)
    case 'start':
    case 'stop':
      return body
  }
}

/** Nothing has changed; when it wants to be woken may have to be said again. */
function remain({ run, event }: Transition): Advanced {
  if (event.type === 'woken' && run.wakeAt !== null) return { run, commands: [{ type: 'wake', at: run.wakeAt }] }
  return { run: late(run, event), commands: [] }
}

function goOn(transition: Transition, plan: Plan, body: Body): Advanced {
  const { run, at, commands, event } = transition
  const { isBusy, dueAt, deadlineMs } = survey(plan, body)
  const open = stillOpen(transition)
  const questions = isBusy ? open : open.map((question) => ({ ...question, askedAt: question.askedAt ?? at }))
  const wakeAt = isBusy ? Math.min(dueAt, at + Math.max(0, deadlineMs - transition.activeMs)) : null
  const isToldAgain = event.type === 'woken' || event.type === 'restart'
  if (wakeAt !== null && (wakeAt !== run.wakeAt || isToldAgain)) commands.push({ type: 'wake', at: wakeAt })
  return {
    run: {
      ...run,
      status: isBusy ? 'running' : 'suspended',
      revision: run.revision + 1,
      activeSince: isBusy ? at : null,
      activeMs: transition.activeMs,
      wakeAt,
      body,
      questions,
    },
    commands,
  }
}

function stillOpen({ run, opened, closed }: Transition): readonly OpenQuestion[] {
  if (opened.length === 0 && closed.size === 0) return run.questions
  return [...run.questions, ...opened].filter(({ id }) => !closed.has(id)).sort(inOrder)
}

const inOrder = (one: OpenQuestion, other: OpenQuestion): number => {
  const depth = one.path.findIndex((place, at) => place !== other.path[at])
  return (one.path[depth] ?? 0) - (other.path[depth] ?? 0)
}

type Ending = Exclude<Outcome['status'], 'completed'>

function end(transition: Transition, plan: Plan, body: Body, error: Failure, status: Ending): Advanced {
  return finish(transition, cancelBody(transition, plan, body, []), { status, error })
}

function finish(transition: Transition, body: Body, outcome: Outcome): Advanced {
  const { run, at, commands } = transition
  return {
    run: {
      ...run,
      status: outcome.status,
      revision: run.revision + 1,
      activeSince: null,
      activeMs: transition.activeMs,
      wakeAt: null,
      body,
      questions: [],
      endedAt: at,
      outcome,
    },
    commands,
  }
}
