import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { type Client, type ClientKind, connectHttp, type Peer, textOf } from '../../support/clients.ts'
import { folderWith } from '../../support/folders.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { statusesIn } from './callers.ts'

const require = createRequire(import.meta.url)
const script = (name: string): string =>
  join(dirname(require.resolve(`@modelcontextprotocol/server-${name}/package.json`)), 'dist/index.js')

const KINDS = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern', 'SDK v2, auto'] as const satisfies ClientKind[]

const folder = folderWith({ 'notes/todo.txt': 'buy bread\nbuy milk\n' })
const notes = join(folder, 'notes')

/** Reads a file, remembers what is in it, and writes the answer of the user beside it. */
const remember: JsonObject = {
  name: 'remember',
  description: 'Remembers a file',
  parameters: {
    type: 'object',
    properties: { path: { type: 'string' }, to: { type: 'string' } },
    required: ['path', 'to'],
  },
  steps: [
    { id: 'read', tool: 'filesystem_read_text_file', arguments: { path: '{{params.path}}' } },
    // A call that is given up keeps strangers on one connection from being asked for a while.
    { id: 'sum', tool: 'everything_get-sum', arguments: { a: 40, b: '2' }, dependsOn: ['read'] },
    {
      id: 'store',
      tool: 'memory_create_entities',
      arguments: {
        entities: [{ name: '{{params.to}}', entityType: 'file', observations: ['{{steps.read.output.content}}'] }],
      },
    },
    {
      id: 'sure',
      type: 'elicitation',
      message: 'Write {{params.to}}?',
      schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
      dependsOn: ['store'],
    },
    {
      id: 'write',
      tool: 'filesystem_write_file',
      arguments: {
        path: '{{params.to}}',
        content: '{{steps.sure.output.content.name}}: {{steps.read.output.content}}{{steps.sum.content.text}}',
      },
    },
    { id: 'graph', tool: 'memory_open_nodes', arguments: { names: ['{{params.to}}'] }, dependsOn: ['store'] },
  ],
  output: {
    type: 'object',
    properties: {
      written: { type: 'string', value: '{{params.to}}' },
      known: { type: 'array', value: '{{steps.graph.output.entities}}' },
    },
    required: ['written', 'known'],
  },
}

/** Asks its user from within a step: `everything` does. */
const ask: JsonObject = {
  name: 'ask',
  steps: [
    { id: 'ask', tool: 'everything_trigger-elicitation-request', arguments: {}, timeout: '10s' },
    { id: 'echo', tool: 'everything_echo', arguments: { message: 'heard: {{steps.ask.content.text}}' } },
  ],
}

let gateway: TestGateway
beforeAll(async () => {
  mkdirSync(join(folder, 'state'))
  const backend = (name: string, args: string[] = [], env: Record<string, string> = {}): JsonObject => ({
    name,
    command: process.execPath,
    args: [script(name), ...args],
    env,
  })
  gateway = await startGateway({
    backends: [
      backend('filesystem', [notes]),
      backend('memory', [], { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }),
      backend('everything', ['stdio']),
    ],
    compositeTools: [remember, ask],
  })
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

/** Has a user who answers everything with the same. */
async function person(kind: ClientKind, answer: JsonObject): Promise<Peer & { messages: unknown[] }> {
  const messages: unknown[] = []
  const prepare = (client: Client): void => {
    const handle = ({ params }: { params: { message: string } }) => {
      messages.push(params.message)
      return answer as never
    }
    if (client instanceof Sdk1) {
      client.registerCapabilities({ elicitation: {} })
      client.setRequestHandler(ElicitRequestSchema, handle)
    } else {
      client.registerCapabilities({ elicitation: {} })
      client.setRequestHandler('elicitation/create', handle)
    }
  }
  return { ...(await connectHttp(kind, gateway.url, prepare)), messages }
}

describe.each(KINDS)('%s', (kind) => {
  test('runs a workflow over three servers, and is asked in the middle', async () => {
    const peer = await person(kind, { action: 'accept', content: { name: 'Ada' } })
    const { tools } = await peer.client.listTools()
    expect(tools.find(({ name }) => name === 'remember')).toMatchObject({ description: 'Remembers a file' })
    const to = join(notes, `${kind.replace(/\W+/gu, '-')}.txt`)
    const progress: string[] = []
    const result = (await peer.call(
      { name: 'remember', arguments: { path: join(notes, 'todo.txt'), to } },
      { onprogress: ({ message }) => void progress.push(message ?? '') },
    )) as JsonObject
    expect(textOf(result)).not.toMatch(/failed/)
    expect(result['structuredContent']).toMatchObject({
      written: to,
      known: [{ name: to, entityType: 'file', observations: ['buy bread\nbuy milk\n'] }],
    })
    expect(JSON.parse(textOf(result))).toEqual(result['structuredContent'])
    expect(new Set(Object.values(statusesIn(result)))).toEqual(new Set(['completed']))
    expect(readFileSync(to, 'utf8')).toBe('Ada: buy bread\nbuy milk\nThe sum of 40 and 2 is 42.')
    expect(peer.messages).toEqual([`Write ${to}?`])
    expect(progress.join()).toContain('sure completed')
    await peer.close()
  })

  test('is asked what a server asks inside of a step', async () => {
    const peer = await person(kind, { action: 'accept', content: { name: 'Ada', color: 'blue' } })
    await peer.client.listTools()
    const result = await peer.call({ name: 'ask', arguments: {} })
    expect(textOf(result)).toContain('heard:')
    expect(statusesIn(result as JsonObject)).toEqual({ ask: 'completed', echo: 'completed' })
    expect(peer.messages).toHaveLength(1)
    await peer.close()
  })
})

describe.each(['SDK v1, legacy', 'SDK v2, modern'] as const)('%s', (kind) => {
  test('declines, and nothing is written', async () => {
    const peer = await person(kind, { action: 'decline' })
    const to = join(notes, 'never.txt')
    const result = await peer.call({ name: 'remember', arguments: { path: join(notes, 'todo.txt'), to } })
    expect(result).toMatchObject({ isError: true })
    expect(textOf(result)).toBe('Workflow "remember" failed at step "sure": The user declined to answer')
    expect(() => readFileSync(to)).toThrow('ENOENT')
    await peer.close()
  })

  test('is told what a server refuses', async () => {
    const peer = await person(kind, { action: 'cancel' })
    const result = await peer.call({ name: 'remember', arguments: { path: '/etc/hostname', to: 'x' } })
    expect(textOf(result)).toMatch(/^Workflow "remember" failed at step "read": .*Access denied/)
    expect(peer.messages).toEqual([])
    await peer.close()
  })
})

test('a file that is not there fails the run before anything is remembered of it', async () => {
  const peer = await person('SDK v2, modern', { action: 'accept', content: { name: 'Ada' } })
  writeFileSync(join(folder, 'outside.txt'), 'secret')
  const result = await peer.call({ name: 'remember', arguments: { path: join(folder, 'outside.txt'), to: 'gone' } })
  expect(result).toMatchObject({ isError: true })
  expect(readFileSync(join(folder, 'memory.jsonl'), 'utf8')).not.toContain('gone')
  await peer.close()
})
