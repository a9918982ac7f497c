import { z } from 'zod'
import { configSchema } from '../schema.ts'

/** JSON Schema (2020-12) of a vmcp configuration, for editors and `vmcp schema`. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { target: 'draft-2020-12', io: 'input' })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'vmcp configuration',
    description: 'One MCP endpoint for many MCP servers: the vmcp YAML or JSON file.',
    ...schema,
  }
}
