import type { UpstreamRequest } from '../../backends/leg.ts'
import { ownRequest } from '../../backends/leg.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Ask } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { pause } from '../../model/pause.ts'
import { renameRelatedTask } from '../../protocol/related-task.ts'
import { createdTask } from './shown-task.ts'
import type { TaskIds } from './task-ids.ts'

const DEFAULT_POLL_MS = 1000
/** Servers suggest how often they want to be asked; nobody is asked more often, or waits longer for an end, than this. */
const LEAST_POLL_MS = 50
const MOST_POLL_MS = 5000
/** How long a server may take to be told that a task is no longer wanted. */
const CANCEL_LIMIT_MS = 10_000

export type ToolResult = { kind: 'result'; value: JsonObject; era: 'legacy' }

/** Calls the backend; the answer always comes parsed. */
type Send = (method: string, params: JsonObject, more?: Partial<UpstreamRequest>) => Promise<JsonObject>

/**
 * A tool of a legacy server that runs only as a task (2025-11-25, tasks, "Tool-Level Negotiation"), for a caller that
 * knows nothing of tasks: it is created, watched to its end, and its result fetched. What the server asks reaches the
 * caller as in any other call. When the call is cancelled or runs out of time, so is the task. `ttlMs`: how long the
 * server is to keep it. A server that answers at once is taken at its word.
 */
export async function runInside(
  backend: Backend,
  request: UpstreamRequest,
  ids: TaskIds,
  ttlMs: number,
): Promise<ToolResult> {
  const { caller, signal, deadline } = request
  let turn = new Cancellation()
  // One listener for the whole run: every request would leave one behind.
  signal.onCancel((reason) => turn.cancel(reason))
  const send: Send = async (method, params, more = {}) => {
    signal.throwIfCancelled()
    turn = new Cancellation()
    const reply = await backend.call({ ...ownRequest(method, params, turn, caller), deadline, ...more, signal: turn })
    if (reply.kind === 'stream') throw new GatewayError('BACKEND_PROTOCOL', `${method} was answered as a stream`)
    return reply.value
  }
  const patch = { ...request.patch, task: { ttl: ttlMs } }
  const created = await send(request.method, request.params, { ...request, patch, streaming: false })
  const task = createdTask(created)
  const taskId = task?.['taskId']
  if (!task || typeof taskId !== 'string') return { kind: 'result', value: created, era: 'legacy' }
  const reveal = ids.hide({ backend: backend.spec.id, id: taskId }, askerFor(request))
  let ended = false
  signal.onCancel(() => {
    if (!ended) cancelTask(backend, request, taskId)
  })
  const wait = (ms: number): Promise<void> => pause(ms, (turn = new Cancellation()))
  try {
    const value = await resultOf(task, request, send, wait)
    return { kind: 'result', value: renameRelatedTask(value, () => undefined), era: 'legacy' }
  } finally {
    ended = true
    reveal()
  }
}

/** The server may ask on any stream: what it asks in this task is asked in this call. */
function askerFor({ ask, signal }: UpstreamRequest): Ask | undefined {
  if (!ask) return undefined
  return (question, asked) => {
    signal.onCancel((reason) => asked.cancel(reason))
    return ask(question, asked)
  }
}

async function resultOf(
  created: JsonObject,
  request: UpstreamRequest,
  send: Send,
  wait: (ms: number) => Promise<void>,
): Promise<JsonObject> {
  const { taskId } = created
  const { signal, deadline, onNotification, flow, ask } = request
  const tell = reporter(request)
  let task = created
  while (task['status'] === 'working') {
    tell(task['statusMessage'])
    signal.throwIfCancelled()
    // To wait is our own doing, no silence of the backend.
    const release = deadline?.hold()
    await wait(pollMs(task['pollInterval'])).finally(release)
    task = await send('tasks/get', { taskId })
  }
  const { status, statusMessage } = task
  if (status === 'cancelled') {
    const why = typeof statusMessage === 'string' ? `: ${statusMessage}` : ''
    throw new GatewayError('BACKEND_ERROR', `the server cancelled the task${why}`)
  }
  // It asks, and then works on without a word until the task ends.
  const release = status === 'input_required' ? deadline?.hold() : undefined
  try {
    return await send('tasks/result', { taskId }, { onNotification, flow, ask })
  } finally {
    release?.()
  }
}

/** Tells a caller that asked for progress what the server says of the task, unless it reports progress itself. */
function reporter({ progress, onNotification }: UpstreamRequest): (message: unknown) => void {
  let told: string | undefined
  let count = 0
  return (message) => {
    if (!progress || typeof message !== 'string' || message === told) return
    told = message
    onNotification?.({ method: 'notifications/progress', params: { progress: ++count, message } })
  }
}

function pollMs(suggested: unknown): number {
  const ms = typeof suggested === 'number' ? suggested : DEFAULT_POLL_MS
  return Math.min(Math.max(ms, LEAST_POLL_MS), MOST_POLL_MS)
}

function cancelTask(backend: Backend, { caller }: UpstreamRequest, taskId: string): void {
  const signal = new Cancellation()
  const late = new GatewayError('DEADLINE_EXCEEDED', 'no answer to tasks/cancel')
  const timer = setTimeout(() => signal.cancel(late), CANCEL_LIMIT_MS).unref()
  backend
    .call(ownRequest('tasks/cancel', { taskId }, signal, caller))
    .catch(() => {})
    .finally(() => clearTimeout(timer))
}
