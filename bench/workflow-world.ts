import type { AuthoredCompositeTool } from '../src/config/schema/composite.ts'
import type { BackendEntry, Merged } from '../src/model/catalogue.ts'
import type { BackendId, NativeName, ShownName } from '../src/model/ids.ts'
import type { JsonObject } from '../src/model/json.ts'

/** Each takes `text`, hands it through all of its steps, and gives it back. */
export type WorkflowShape = 'sequence' | 'parallel' | 'loop'

const PARAMETERS = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }
const OUTPUT = { properties: { text: { type: 'string', value: '{{ params.text }}' } } }

/** So many calls of one tool: each after the one before, whose result it passes on; all at once; or as iterations. */
export function echoing(shape: WorkflowShape, count: number, tool = 'echo'): AuthoredCompositeTool {
  const call = (text: string) => ({ tool, arguments: { text } })
  const each = Array.from({ length: count }, (_, index) => index)
  switch (shape) {
    case 'sequence': {
      const before = (index: number) => (index === 0 ? 'params' : `steps.s${index - 1}.output`)
      const steps = each.map((index) => ({ id: `s${index}`, ...call(`{{ ${before(index)}.text }}`) }))
      return { name: shape, parameters: PARAMETERS, steps }
    }
    case 'parallel':
      return {
        name: shape,
        parameters: PARAMETERS,
        steps: each.map((index) => ({ id: `s${index}`, ...call('{{ params.text }}') })),
      }
    case 'loop': {
      const step = { id: 'each', ...call('{{ forEach.item }}') }
      const collection = JSON.stringify(each.map((index) => `text-${index}`))
      const all = { id: 'all', type: 'forEach' as const, collection, step }
      return { name: shape, parameters: PARAMETERS, steps: [all], output: OUTPUT }
    }
  }
}

/** So many calls that take so long each: all at once, or in a loop, ten at once. */
export function sleeping(shape: 'parallel' | 'loop', count: number, ms: number): AuthoredCompositeTool {
  const call = { tool: 'big', arguments: { bytes: 1, delayMs: ms } }
  const each = Array.from({ length: count }, (_, index) => index)
  const step = { id: 'each', ...call }
  const loop = { id: 'all', type: 'forEach' as const, collection: JSON.stringify(each), maxParallel: 10, step }
  return {
    name: `sleeping_${shape}`,
    steps: shape === 'loop' ? [loop] : each.map((index) => ({ id: `s${index}`, ...call })),
    output: { properties: { done: { type: 'boolean', value: true } } },
  }
}

/** Some calls whose results nobody needs any more, and then a question. */
export function asking(calls: number): AuthoredCompositeTool {
  const { parameters, steps } = echoing('parallel', calls)
  const dependsOn = steps.map(({ id }) => id ?? '')
  const question = { id: 'ask', type: 'elicitation' as const, message: 'Go on with {{ params.text }}?', dependsOn }
  return { name: 'asking', parameters, steps: [...steps, question] }
}

const BACKENDS = 20

/** A catalogue as a backend's answer makes it anew: all its objects are others each time but for `shared` ones. */
export function catalogueOf(count: number, schemas: readonly ToolSchemas[]): Merged {
  const tools = new Map<string, BackendEntry>()
  for (let index = 0; index < count; index++) {
    const name = toolName(index)
    const shown = name as ShownName
    const backend = `b${index % BACKENDS}` as BackendId
    const route = { kind: 'backend', backend, native: name as NativeName } as const
    const definition = { name, ...schemas[index % schemas.length] }
    tools.set(name, { shown, route, visibility: 'listed', definition })
  }
  const none = new Map<string, BackendEntry>()
  return { version: 1, tools, prompts: none, resources: none, templates: none, conflicts: [], notes: [] }
}

interface ToolSchemas {
  inputSchema: JsonObject
  outputSchema?: JsonObject
}

/** Of common size; every other tool declares what it gives. */
export function schemasOf(count: number): ToolSchemas[] {
  return Array.from({ length: count }, (_, index) => ({
    inputSchema: {
      type: 'object',
      properties: {
        title: { type: 'string', minLength: 1, description: `What tool number ${index} is to be called with` },
        body: { type: 'string' },
        labels: { type: 'array', items: { type: 'string' } },
        priority: { enum: ['low', 'normal', 'high'] },
        limit: { type: 'integer', minimum: 1 },
        owner: { type: 'object', properties: { name: { type: 'string' }, team: { type: 'string' } } },
      },
      required: ['title'],
      additionalProperties: false,
    },
    ...(index % 2 === 0 && {
      outputSchema: {
        type: 'object',
        properties: {
          id: { type: 'integer' },
          url: { type: 'string' },
          items: { type: 'array', items: { type: 'object', properties: { id: { type: 'integer' } } } },
        },
        required: ['id', 'url'],
      },
    }),
  }))
}

const toolName = (index: number): string => `b${index % BACKENDS}_tool_${index}`

/**
 * With conditions, a loop, a question and a made output: what authors write. No other has the same texts. `tools`: how
 * many there are to call.
 */
export function authored(index: number, tools: number): AuthoredCompositeTool {
  // Even tools declare their output.
  const tool = (nth: number) => toolName((index * 14 + nth * 2) % tools)
  const id = (name: string) => `${name}_${index}`
  const [open, more, each, sure, tell] = [id('open'), id('more'), id('each'), id('sure'), id('tell')] as const
  return {
    name: `workflow_${index}`,
    description: `Number ${index}`,
    parameters: {
      type: 'object',
      properties: { title: { type: 'string' }, urgent: { type: 'boolean', default: false } },
      required: ['title'],
    },
    steps: [
      { id: open, tool: tool(0), arguments: { title: '{{ params.title }}', labels: ['new', `${index}`] } },
      {
        id: more,
        tool: tool(1),
        condition: '{{ params.urgent }}',
        arguments: { title: 'Urgent: {{ upper params.title }}', priority: 'high', owner: { name: 'ops' } },
        defaultResults: { id: 0, url: '' },
        onError: { action: 'retry', retryCount: 2, retryDelay: '1s' },
      },
      {
        id: each,
        type: 'forEach',
        collection: `{{ steps.${open}.output.items }}`,
        step: { id: id('one'), tool: tool(2), arguments: { title: 'Item {{ forEach.item.id }}', limit: 5 } },
      },
      {
        id: sure,
        type: 'elicitation',
        message: `Announce {{ steps.${open}.output.url }}?`,
        schema: { type: 'object', properties: { channel: { type: 'string' } }, required: ['channel'] },
        onDecline: { action: 'continue' },
      },
      {
        id: tell,
        tool: tool(3),
        dependsOn: [each],
        condition: `{{ eq steps.${sure}.output.action "accept" }}`,
        arguments: {
          title: `{{ steps.${sure}.output.content.channel }}`,
          body: `See {{ steps.${open}.output.url }} or {{ steps.${more}.output.url }}`,
        },
      },
      {
        id: id('close'),
        tool: tool(4),
        dependsOn: [tell],
        arguments: { title: `{{ json steps.${open}.output }}` },
      },
    ],
    output: {
      properties: {
        url: { type: 'string', value: `{{ steps.${open}.output.url }}` },
        urgent: { type: 'integer', value: `{{ steps.${more}.output.id }}`, default: 0 },
      },
      required: ['url'],
    },
  }
}
