import { expect, test } from 'vitest'
import { configJsonSchema } from './json-schema.ts'

test('the schema names its dialect and every section', () => {
  const schema = configJsonSchema()
  expect(schema).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'vmcp configuration',
    type: 'object',
    additionalProperties: false,
  })
  expect(Object.keys(schema['properties'] as object)).toContain('aggregation')
})

test('every key is described', () => {
  const bare: string[] = []
  const visit = (node: unknown, path: string, isSchema: boolean): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      // Below `properties` stand names of the configuration, which may be called "properties" too.
      if (!isSchema && (value as { description?: string }).description === undefined) bare.push(`${path}.${key}`)
      visit(value, `${path}.${key}`, !(isSchema && key === 'properties'))
    }
  }
  visit(configJsonSchema(), '', true)
  expect(bare).toEqual([])
})
