import { expect, test } from 'vitest'
import type { JsonObject } from '../../model/json.ts'
import { CLIENTS, type Machine } from '../clients.ts'
import { normalise } from './normalise.ts'

const machine: Machine = { env: { HOME: '/h' }, cwd: '/w${x}', platform: 'linux' }
const from = (id: string, definition: JsonObject) => {
  const client = CLIENTS.find((one) => one.id === id)
  return client && normalise(definition, client, machine)
}

test('entries in the form of mcpServers stay as they are', () => {
  const definition = { command: 'a', autoApprove: ['x'], cwd: '${workspaceFolder}' }
  expect(from('cursor', definition)).toBe(definition)
})

test('folders that VS Code fills in are filled in, and its own notes dropped', () => {
  const definition = { command: '${userHome}/a', args: ['${workspaceFolder}', '${env:T}'], gallery: 'x', dev: {} }
  expect(from('vscode', definition)).toEqual({ command: '/h/a', args: ['/w$${x}', '${env:T}'] })
})

test.each([
  [
    { source: 'custom', command: 'a', args: ['b'], env: { T: '1' }, enabled: true },
    { command: 'a', args: ['b'], env: { T: '1' } },
  ],
  [
    { command: { path: 'a', args: ['b'], env: {} }, settings: {}, enabled: false },
    { command: 'a', args: ['b'], env: {}, disabled: true },
  ],
  [{ url: 'http://h/mcp' }, { url: 'http://h/mcp' }],
  [{ source: 'extension', settings: { key: 's' } }, {}],
])('Zed writes %o', (definition, expected) => {
  expect(from('zed', definition)).toEqual(expected)
})
