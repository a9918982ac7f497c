import { expect, test } from 'vitest'
import type { Entry } from '../../model/catalogue.ts'
import { targetOf } from './request.ts'

const entry = (definition: object, shown: string) =>
  ({
    shown,
    route: { kind: 'backend', backend: 'one', native: shown },
    visibility: 'listed',
    definition,
  }) as unknown as Entry

test('an entry has one target of each kind, whichever is asked for first', () => {
  const template = entry({ uriTemplate: 'docs://{x}' }, 'docs://{x}')
  expect(targetOf('template', template)).toMatchObject({ kind: 'template', name: 'docs://{x}', backend: 'one' })
  expect(targetOf('resource', template)).toMatchObject({ kind: 'resource', name: 'docs://{x}' })
  expect(targetOf('template', template)).toBe(targetOf('template', template))
})

test('a resource that is named where templates are is judged as what it is', () => {
  const resource = entry({ uri: 'docs://closed' }, 'docs://closed')
  expect(targetOf('template', resource)).toBe(targetOf('resource', resource))
  expect(targetOf('resource', resource).kind).toBe('resource')
})
