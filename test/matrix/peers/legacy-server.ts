import { setTimeout as sleep } from 'node:timers/promises'

import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  CallToolRequestSchema,
  CancelTaskRequestSchema,
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  GetTaskPayloadRequestSchema,
  GetTaskRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListTasksRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  ResultSchema,
  RootsListChangedNotificationSchema,
  RELATED_TASK_META_KEY,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  UrlElicitationRequiredError,
  type LoggingLevel,
  type ServerNotification,
  type ServerRequest,
  type Task,
} from '@modelcontextprotocol/sdk/types.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import { z } from 'zod'

import {
  FORM,
  LEGACY_TOOLS,
  LEVELS,
  LINGER_MS,
  LINK,
  LINK_ID,
  LOGGER,
  PROMPTS,
  SAMPLING,
  SECOND_FORM,
  SKILLS,
  STEPS,
  UNATTRIBUTED,
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

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

interface Call {
  server: Server
  world: World
  session: Session
  extra: Extra
  args: Record<string, string>
}

/** What one connection remembers. */
interface Session {
  level: LoggingLevel | undefined
  count: number
  tasks: Map<string, Task>
}

type Tool = (call: Call) => Promise<{ content: { type: 'text'; text: string }[] }>

/** A server of 2025-11-25, made with SDK v1: it turns to its client with requests of its own, in the middle of a call. */
export function createLegacyServer(world: World): Server {
  const server = new Server(
    { name: 'matrix-legacy', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: {},
        completions: {},
        logging: {},
        tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
        extensions: { [SKILLS]: {} },
      },
      instructions: 'the legacy backend',
    },
  )
  const session: Session = { level: undefined, count: 0, tasks: new Map() }
  const subscribed = new Set<string>()
  const watcher = {
    updated(uri: string) {
      if (subscribed.has(uri)) void server.sendResourceUpdated({ uri }).catch(() => undefined)
    },
    toolsChanged: () => void server.sendToolListChanged().catch(() => undefined),
  }
  server.oninitialized = () => world.watchers.add(watcher)
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is a property of the SDK's, not an event target
  server.onclose = () => world.watchers.delete(watcher)

  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [...LEGACY_TOOLS, ...world.later.map((name) => toolNamed(name))],
  }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const tool = RUN[params.name as ToolName]
    if (!tool) throw new McpError(ErrorCode.InvalidParams, `no tool ${params.name}`, { known: Object.keys(RUN) })
    world.calls[params.name] = (world.calls[params.name] ?? 0) + 1
    if (params.task) return { task: begin(session, params.arguments?.['key']) }
    return tool({ server, world, session, extra, args: (params.arguments ?? {}) as Record<string, string> })
  })
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: resourcesOf(world.name) }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: templatesOf(world.name) }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => contentsOf(params.uri))
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: PROMPTS }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => greeting(params.arguments?.['who']))
  server.setRequestHandler(CompleteRequestSchema, ({ params: { ref, argument, context } }) =>
    completionOf({ ref, argument, context }),
  )
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscribed.add(params.uri)
    return {}
  })
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscribed.delete(params.uri)
    return {}
  })
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    session.level = params.level
    return {}
  })
  server.setRequestHandler(GetTaskRequestSchema, ({ params }) => {
    const task = taskOf(session, params.taskId)
    if (task.status === 'working' && !task.taskId.endsWith('endless')) task.status = 'completed'
    return task
  })
  server.setRequestHandler(ListTasksRequestSchema, () => ({ tasks: [...session.tasks.values()] }))
  server.setRequestHandler(CancelTaskRequestSchema, ({ params }) =>
    Object.assign(taskOf(session, params.taskId), { status: 'cancelled' as const }),
  )
  server.setRequestHandler(GetTaskPayloadRequestSchema, ({ params: { taskId } }) => ({
    ...text('laboured'),
    _meta: { [RELATED_TASK_META_KEY]: { taskId: taskOf(session, taskId).taskId } },
  }))
  server.setRequestHandler(requestOf('skills/list'), () => ({ skills: [skillOf(world.name)] }))
  server.setRequestHandler(requestOf('skills/get'), () => ({ skill: skillOf(world.name) }))
  server.setRequestHandler(requestOf(vendorMethodOf(world.name)), ({ params }) => ({ given: params }))
  server.setNotificationHandler(RootsListChangedNotificationSchema, () => void world.rootsChanged++)
  return server
}

/** A request that the SDK does not know. */
const requestOf = (method: string) => z.object({ method: z.literal(method), params: z.looseObject({}).optional() })

/** It is over as soon as somebody asks, unless its key is `endless`. */
function begin({ tasks }: Session, key: unknown): Task {
  const now = new Date().toISOString()
  const task: Task = {
    taskId: `labour-${tasks.size + 1}-${String(key)}`,
    status: 'working',
    ttl: 60_000,
    pollInterval: 20,
    createdAt: now,
    lastUpdatedAt: now,
  }
  tasks.set(task.taskId, task)
  return task
}

function taskOf({ tasks }: Session, id: string): Task {
  const task = tasks.get(id)
  if (!task) throw new McpError(ErrorCode.InvalidParams, `no task ${id}`)
  return task
}

/** Asks on the stream of the call, and waits longer than any client may take. */
const ask = ({ extra }: Call, method: ServerRequest['method'], params: object = {}) =>
  extra.sendRequest({ method, params } as ServerRequest, ResultSchema, { timeout: 3_600_000 })

const RUN: Record<ToolName, Tool> = {
  echo: ({ args }) => Promise.resolve(text(args)),
  'ask-form': async (call) => {
    const { world, extra, args } = call
    extra.signal.addEventListener('abort', () => world.cancelled.push(args['key'] ?? ''))
    return text(await ask(call, 'elicitation/create', { mode: 'form', ...FORM }))
  },
  'ask-url': async (call) =>
    text(await ask(call, 'elicitation/create', { mode: 'url', ...LINK, elicitationId: LINK_ID })),
  'need-url': ({ world, args: { key = '' } }) => {
    if (world.sent.includes(key)) return Promise.resolve(text('connected'))
    world.sent.push(key)
    throw new UrlElicitationRequiredError([{ mode: 'url', ...LINK, elicitationId: LINK_ID }], 'Connect first')
  },
  'ask-together': async (call) =>
    text(await Promise.all([ask(call, 'elicitation/create', { mode: 'form', ...FORM }), ask(call, 'roots/list')])),
  'ask-twice': async (call) => {
    const first = await ask(call, 'elicitation/create', { mode: 'form', ...FORM })
    await report(call, STEPS[0]!)
    return text([first, await ask(call, 'elicitation/create', { mode: 'form', ...SECOND_FORM })])
  },
  sample: async (call) => text(await ask(call, 'sampling/createMessage', SAMPLING)),
  'list-roots': async (call) => text(await ask(call, 'roots/list')),
  declared: ({ server }) => Promise.resolve(text(server.getClientCapabilities())),
  progress: async (call) => {
    for (const step of STEPS) await report(call, step)
    return text(call.extra._meta?.progressToken === undefined ? 'untold' : 'told')
  },
  log: async ({ extra, session }) => {
    const least = LEVELS.findIndex((level) => level === session.level)
    for (const [index, level] of LEVELS.entries()) {
      if (index < least) continue
      const params = { level, logger: LOGGER, data: lineAt(level) }
      await extra.sendNotification({ method: 'notifications/message', params })
    }
    return text(session.level ?? 'no level')
  },
  'log-later': async ({ server }) => {
    await server.sendLoggingMessage({ level: 'error', logger: LOGGER, data: UNATTRIBUTED })
    return text('logged')
  },
  linger: async (call) => {
    await report(call, STEPS[0]!)
    await sleep(LINGER_MS)
    await report(call, STEPS[1]!)
    return text('lingered')
  },
  labour: () => Promise.reject(new McpError(ErrorCode.MethodNotFound, 'this tool runs as a task only')),
  toil: () => Promise.reject(new McpError(ErrorCode.MethodNotFound, 'this revision has no such thing')),
  wait: async ({ world, extra, args: { key = '' } }) => {
    await waitFor(world, key, extra.signal)
    return text('over')
  },
  recall: ({ world, args: { key = '' } }) => Promise.resolve(text(recall(world, key))),
  touch: ({ world, args: { uri = '' } }) => {
    for (const watcher of world.watchers) watcher.updated(uri)
    return Promise.resolve(text('touched'))
  },
  change: ({ world, args: { key = '' } }) => {
    world.later.push(key)
    for (const watcher of world.watchers) watcher.toolsChanged()
    return Promise.resolve(text('changed'))
  },
  unsolicited: ({ server, world }) => {
    // Not on the stream of this call, and after its end.
    setTimeout(() => {
      server.request({ method: 'elicitation/create', params: { mode: 'form', ...FORM } }, ResultSchema).then(
        (answer) => world.unsolicited.push(answer),
        ({ code }: { code: number }) => world.unsolicited.push({ code }),
      )
    }, 20)
    return Promise.resolve(text('soon'))
  },
  count: ({ session }) => Promise.resolve(text(++session.count)),
}

async function report({ extra }: Call, step: { progress: number; total: number; message: string }): Promise<void> {
  const progressToken = extra._meta?.progressToken
  if (progressToken === undefined) return
  await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, ...step } })
}
