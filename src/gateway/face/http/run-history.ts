import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { suggest } from '../../../model/nearest.ts'
import type { Principal } from '../../../model/principal.ts'
import { RUN_STATUSES, type RunStatus } from '../../../workflow/run-state.ts'
import type { ListedRun, RunFilter } from '../../../workflow/store/run-store.ts'
import type { Gateway } from '../../gateway.ts'

const MOST = 1000

type Filter = Omit<RunFilter, 'owner'>

/** What may be asked for, each once but `status`. Throws `PARAMS_INVALID`. */
const FILTERS: Readonly<Record<string, (texts: readonly string[]) => Filter>> = {
  workflow: ([workflow = '']) => ({ workflow }),
  status: (texts) => ({ status: texts.flatMap((text) => text.split(',')).map(statusOf) }),
  after: ([text = '']) => ({ after: timeOf('after', text) }),
  before: ([text = '']) => ({ before: timeOf('before', text) }),
  limit: ([text = '']) => ({ limit: limitOf(text) }),
}

/**
 * Runs of composite tools, newest first: those of whoever asks. No arguments and no results: what a run was about is told to
 * nobody but its client.
 */
export async function answerRunHistory(
  gateway: Gateway,
  req: IncomingMessage,
  res: ServerResponse,
  principal: Principal,
): Promise<void> {
  const filter = filterOf(new URL(req.url ?? '/', 'http://localhost').searchParams)
  const runs = await gateway.runs.list(filter, principal)
  res.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  res.end(`${JSON.stringify({ runs: runs.map(rowOf) })}\n`)
}

function filterOf(query: URLSearchParams): Filter {
  return Object.assign(
    {},
    ...[...new Set(query.keys())].map((key) => {
      const read = Object.hasOwn(FILTERS, key) ? FILTERS[key] : undefined
      if (read) return read(query.getAll(key))
      throw invalid(`there is no filter "${key}"`, suggest(key, Object.keys(FILTERS)))
    }),
  ) as Filter
}

function rowOf(run: ListedRun): JsonObject {
  const { id, workflow, status, createdAt, updatedAt, endedAt, openUntil, steps, failure } = run
  return {
    id,
    workflow,
    status,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
    ...(endedAt !== undefined && { endedAt: new Date(endedAt).toISOString(), ms: endedAt - createdAt }),
    ...(openUntil !== undefined && { waitsUntil: new Date(openUntil).toISOString() }),
    ...(steps && { steps: steps.map((step): JsonObject => ({ ...step })) }),
    ...(failure && { failure: { ...failure } }),
  }
}

function statusOf(text: string): RunStatus {
  const status = RUN_STATUSES.find((one) => one === text)
  if (status) return status
  throw invalid(`there is no status "${text}"`, suggest(text, RUN_STATUSES))
}

function timeOf(key: string, text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw invalid(`"${key}" is no time`, 'write one such as 2026-11-21T09:00:00Z')
  return time
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST) return limit
  throw invalid(`"limit" must be a number from 1 to ${MOST}`)
}

function invalid(problem: string, hint?: string): GatewayError {
  return new GatewayError('REQUEST_MALFORMED', `Bad Request: ${problem}${hint === undefined ? '' : ` (${hint})`}`)
}
