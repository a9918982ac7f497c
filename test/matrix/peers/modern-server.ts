import { setTimeout as sleep } from 'node:timers/promises'

import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type CallToolResult,
  type InputRequests,
  type InputRequiredResult,
  type ServerContext,
} from '@modelcontextprotocol/server'

import {
  FORM,
  LEVELS,
  LINGER_MS,
  LINK,
  LOGGER,
  SAMPLING,
  SECOND_FORM,
  STEPS,
  TOOLS,
  lineAt,
  resourcesOf,
  text,
  toolNamed,
  type ToolName,
} from './offer.ts'
import { recall, waitFor, type World } from './world.ts'

interface Call {
  world: World
  ctx: ServerContext
  args: Record<string, string>
}

type Answer = CallToolResult | InputRequiredResult
type Tool = (call: Call) => Answer | Promise<Answer>

/** A server of 2026-07-28, made with SDK v2: it asks with results that want input, and remembers nothing between them. */
export function createModernServer(world: World): Server {
  const server = new Server(
    { name: 'matrix-modern', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
      },
      instructions: 'the modern backend',
    },
  )
  server.setRequestHandler('tools/list', () => ({
    tools: [...TOOLS, ...world.later.map((name) => toolNamed(name))],
  }))
  server.setRequestHandler('tools/call', ({ params }, ctx) => {
    const tool = RUN[params.name as ToolName]
    if (!tool) {
      const data = { known: Object.keys(RUN) }
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no tool ${params.name}`, data)
    }
    world.calls[params.name] = (world.calls[params.name] ?? 0) + 1
    return tool({ world, ctx, args: (params.arguments ?? {}) as Record<string, string> })
  })
  server.setRequestHandler('resources/list', () => ({ resources: resourcesOf(world.name) }))
  server.setRequestHandler('resources/read', ({ params }) => ({
    contents: [{ uri: params.uri, text: 'a counter' }],
  }))
  return server
}

/** Tells what the client answered, and asks first. */
function asking(inputRequests: InputRequests, tell: (answers: unknown[]) => unknown = ([answer]) => answer): Tool {
  return ({ ctx }) => {
    const { inputResponses } = ctx.mcpReq
    if (!inputResponses) return inputRequired({ inputRequests })
    return text(tell(Object.keys(inputRequests).map((key) => inputResponses[key])))
  }
}

const unavailable: Tool = () => {
  throw new ProtocolError(ProtocolErrorCode.InvalidRequest, 'this revision has no such thing')
}

const form = inputRequired.elicit(FORM)

const RUN: Record<ToolName, Tool> = {
  'ask-form': asking({ form }),
  'ask-url': asking({ link: inputRequired.elicitUrl(LINK) }),
  'need-url': unavailable,
  'ask-together': asking({ form, roots: inputRequired.listRoots() }, (answers) => answers),
  'ask-twice': async (call) => {
    const { inputResponses, requestState } = call.ctx.mcpReq
    const state = requestState<string>()
    if (state !== undefined) return text([JSON.parse(state), inputResponses?.['sure']])
    if (!inputResponses) return inputRequired({ inputRequests: { form } })
    await report(call, STEPS[0]!)
    const inputRequests = { sure: inputRequired.elicit(SECOND_FORM) }
    return inputRequired({ inputRequests, requestState: JSON.stringify(inputResponses['form']) })
  },
  sample: asking({ answer: inputRequired.createMessage(SAMPLING) }),
  'list-roots': asking({ roots: inputRequired.listRoots() }),
  declared: ({ ctx }) =>
    text((ctx.mcpReq.envelope as Record<string, unknown> | undefined)?.[CLIENT_CAPABILITIES_META_KEY]),
  progress: async (call) => {
    for (const step of STEPS) await report(call, step)
    return text(call.ctx.mcpReq._meta?.['progressToken'] === undefined ? 'untold' : 'told')
  },
  log: async ({ ctx }) => {
    for (const level of LEVELS) await ctx.mcpReq.log(level, lineAt(level), LOGGER)
    return text('logged')
  },
  'log-later': unavailable,
  linger: async (call) => {
    await report(call, STEPS[0]!)
    await sleep(LINGER_MS)
    await report(call, STEPS[1]!)
    return text('lingered')
  },
  labour: () => text('laboured'),
  wait: async ({ world, ctx, args: { key = '' } }) => {
    await waitFor(world, key, ctx.mcpReq.signal)
    return text('over')
  },
  recall: ({ world, args: { key = '' } }) => text(recall(world, key)),
  touch: ({ world, args: { uri = '' } }) => {
    for (const watcher of world.watchers) watcher.updated(uri)
    return text('touched')
  },
  change: ({ world, args: { key = '' } }) => {
    world.later.push(key)
    for (const watcher of world.watchers) watcher.toolsChanged()
    return text('changed')
  },
  unsolicited: unavailable,
  count: unavailable,
}

async function report({ ctx }: Call, step: { progress: number; total: number; message: string }): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.['progressToken']
  if (progressToken === undefined) return
  await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...step } })
}
