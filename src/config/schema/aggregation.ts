import { z } from 'zod'
import { name, texts } from './primitives.ts'

/** Hints that a client may show or act on (MCP `ToolAnnotations`). */
export const annotationsSchema = z.strictObject({
  title: z.string().optional().describe('Title for people.'),
  readOnlyHint: z.boolean().optional().describe('The tool changes nothing.'),
  destructiveHint: z.boolean().optional().describe('The tool may destroy something.'),
  idempotentHint: z.boolean().optional().describe('Calling it twice does no more than calling it once.'),
  openWorldHint: z.boolean().optional().describe('The tool reaches beyond its own system.'),
})

const overrideSchema = z.strictObject({
  name: name().optional().describe('New name, before prefixes.'),
  description: z.string().optional().describe('New description.'),
  annotations: annotationsSchema.optional().describe('Hints that replace those of the tool.'),
})

const toolsSchema = z.strictObject({
  workload: name().describe('Name of a backend; one entry for each at most. Required.'),
  toolConfigRef: z
    .strictObject({ name: name().describe('Name of an MCPToolConfig. Required.') })
    .optional()
    .describe('Filter and overrides from an MCPToolConfig manifest among the same files; what stands here wins.'),
  filter: texts().optional().describe('Tools to show: names after overrides, before prefixes. Default: all.'),
  overrides: z
    .record(z.string(), overrideSchema)
    .optional()
    .describe("New names, descriptions and hints, by the backend's own tool name. Default: {}."),
  excludeAll: z
    .boolean()
    .optional()
    .describe('Show no tool of this backend; workflows may still use them. Default: false.'),
})

export const aggregationSchema = z.strictObject({
  conflictResolution: z
    .enum(['prefix', 'priority', 'manual'])
    .optional()
    .describe('What happens when two backends offer the same name. Default: prefix.'),
  conflictResolutionConfig: z
    .strictObject({
      prefixFormat: z
        .string()
        .optional()
        .describe(
          'Prefix; {workload} stands for the name of the backend. Default: "{workload}_", none with a single backend.',
        ),
      priorityOrder: texts().optional().describe('Backends, the winner first. Required with priority.'),
    })
    .optional()
    .describe('Settings of the strategy.'),
  onlyOnConflict: z.boolean().optional().describe('Prefix only names that clash. Default: false.'),
  tools: z
    .array(toolsSchema)
    .optional()
    .describe('Filters, overrides and exclusions by backend. Required with manual.'),
  excludeAllTools: z.boolean().optional().describe('Show no backend tool at all, only composite ones. Default: false.'),
  defaultToolVisibility: z
    .enum(['allow', 'deny'])
    .optional()
    .describe('Whether backends without an entry in tools are shown. Default: allow.'),
})
