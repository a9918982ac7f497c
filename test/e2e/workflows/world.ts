import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import type { Place, TestGateway } from '../../support/gateway.ts'
import { startGateway } from '../../support/gateway.ts'
import type { HttpBackend, HttpBackendOptions } from '../../support/http-backend.ts'
import { startHttpBackend } from '../../support/http-backend.ts'
import type { Exchange } from '../../support/script.ts'

/** What a tool gives: an object is its structured content, unless it is a whole result. */
export type Tool = (args: JsonObject, exchange: Exchange) => JsonObject | Promise<JsonObject>

/** A backend whose tools are functions, and that remembers how they were called. */
export interface ToolBackend extends HttpBackend {
  tools: Record<string, Tool>
  /** Params of the calls that it has begun, oldest first. */
  calls(tool: string): JsonObject[]
  /** Arguments of them. */
  given(tool: string): unknown[]
}

/** As a server lists it. It takes whatever it is given. */
export const listed = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  inputSchema: { type: 'object', additionalProperties: true },
  ...more,
})

/** Both eras speak to it, in the modern one, unless `era` says so. It ends with the test. */
export async function toolBackend(tools: Record<string, Tool>, options: HttpBackendOptions = {}): Promise<ToolBackend> {
  const made: JsonObject[] = []
  const backend = await startHttpBackend({
    tools: Object.keys(tools).map((name) => listed(name)),
    call: async (name, args, exchange) => {
      made.push(exchange.params)
      return resultOf((await tools[name]?.(args, exchange)) ?? {})
    },
    ...options,
  })
  onTestFinished(() => backend.close())
  const calls = (tool: string): JsonObject[] => made.filter(({ name }) => name === tool)
  return { ...backend, tools, calls, given: (tool) => calls(tool).map((params) => params['arguments']) }
}

function resultOf(value: JsonObject): JsonObject {
  if ('content' in value || 'resultType' in value) return value
  return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value }
}

export const failure = (text: string): JsonObject => ({ isError: true, content: [{ type: 'text', text }] })

/** Gives back what it was given. */
export const same: Tool = (args) => args

/** Goes on until `finish`, or until it is cancelled. */
export interface Slow {
  tool: Tool
  started: Promise<void>
  finish: (value?: JsonObject) => void
  cancelled: Promise<void>
}

export function slow(): Slow {
  const { promise: started, resolve: start } = Promise.withResolvers<void>()
  const { promise: finished, resolve: finish } = Promise.withResolvers<JsonObject>()
  const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>()
  return {
    tool: (_args, { signal }) => {
      start()
      signal.addEventListener('abort', () => {
        cancel()
        finish({})
      })
      return finished
    },
    started,
    finish: (value = {}) => finish(value),
    cancelled,
  }
}

/** One backend is called `one`, and its tools have no prefix; several are prefixed. */
export async function gatewayWith(
  backends: ToolBackend | Record<string, ToolBackend>,
  compositeTools: JsonObject[],
  more: JsonObject = {},
  place: Place = {},
): Promise<TestGateway> {
  const gateway = await startGateway(configOf(backends, compositeTools, more), place)
  onTestFinished(() => gateway.close())
  return gateway
}

export function configOf(
  backends: ToolBackend | Record<string, ToolBackend>,
  compositeTools: JsonObject[],
  more: JsonObject = {},
): JsonObject {
  const named: Record<string, { url: string }> = 'requests' in backends ? { one: backends as ToolBackend } : backends
  const listed = Object.entries(named).map(([name, { url }]): JsonObject => ({ name, url }))
  return { backends: listed, compositeTools, ...more }
}

/** Removed when the test ends. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vmcp-workflows-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** A question whose answer is whether to go on. */
export const approval = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'elicitation',
  message: `${id}?`,
  schema: { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'] },
  ...more,
})

export const call = (id: string, tool: string, more: JsonObject = {}): JsonObject => ({ id, tool, ...more })
