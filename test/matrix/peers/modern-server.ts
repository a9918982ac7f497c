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
import { z } from 'zod'

import {
  FORM,
  LEVELS,
  LINGER_MS,
  LINK,
  LOGGER,
  PROMPTS,
  SAMPLING,
  SECOND_FORM,
  SKILLS,
  STEPS,
  TASKS,
  TOOLS,
  completionOf,
  contentsOf,
  greeting,
  lineAt,
  resourcesOf,
  skillOf,
  templatesOf,
  text,
  toolNamed,
  vendorMethodOf,
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
        prompts: {},
        completions: {},
        logging: {},
        extensions: { [SKILLS]: {}, [TASKS]: {} },
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
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: templatesOf(world.name) }))
  server.setRequestHandler('resources/read', ({ params }) => contentsOf(params.uri))
  server.setRequestHandler('prompts/list', () => ({ prompts: PROMPTS }))
  server.setRequestHandler('prompts/get', ({ params }) => greeting(params.arguments?.['who']))
  server.setRequestHandler('completion/complete', ({ params: { ref, argument, context } }) =>
    completionOf({ ref, argument, context }),
  )
  const fresh = { ttlMs: 60_000, cacheScope: 'public' }
  server.setRequestHandler('skills/list', ANY, () => ({ skills: [skillOf(world.name)], ...fresh }))
  server.setRequestHandler('skills/get', ANY, () => ({ skill: skillOf(world.name), ...fresh }))
  server.setRequestHandler(vendorMethodOf(world.name), ANY, (given) => ({ given }))
  server.setRequestHandler('tasks/get', OF_TASK, ({ taskId }) => {
    const { status, answers } = toilOf(world, taskId)
    if (status === 'cancelled') return { ...shownToil(taskId), status }
    if (answers === undefined) return { ...shownToil(taskId), status: 'input_required', inputRequests: { form } }
    return { ...shownToil(taskId), status: 'completed', result: text(answers) }
  })
  server.setRequestHandler('tasks/update', OF_TASK, ({ taskId }, ctx) => {
    toilOf(world, taskId).answers = ctx.mcpReq.inputResponses
    return {}
  })
  server.setRequestHandler('tasks/cancel', OF_TASK, ({ taskId }) => {
    toilOf(world, taskId).status = 'cancelled'
    return {}
  })
  return server
}

const ANY = { params: z.looseObject({}) }
const OF_TASK = { params: z.looseObject({ taskId: z.string() }) }

function toilOf({ toils }: World, taskId: string) {
  const toil = toils.get(taskId)
  if (!toil) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no task ${taskId}`)
  return toil
}

const shownToil = (taskId: string) => ({
  taskId,
  createdAt: '2026-07-28T00:00:00.000Z',
  lastUpdatedAt: '2026-07-28T00:00:00.000Z',
  ttlMs: 60_000,
  pollIntervalMs: 20,
})

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
  echo: ({ args }) => text(args),
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
  toil: ({ world }) => {
    const taskId = `toil-${world.toils.size + 1}`
    world.toils.set(taskId, { status: 'working' })
    // The SDK knows nothing of this extension.
    return { resultType: 'task', ...shownToil(taskId), status: 'working' } as unknown as Answer
  },
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
