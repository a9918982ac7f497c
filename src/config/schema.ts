import { z } from 'zod'
import { aggregationSchema } from './schema/aggregation.ts'
import { incomingAuthSchema, outgoingAuthSchema } from './schema/auth.ts'
import { backendSchema } from './schema/backends.ts'
import { compositeToolSchema } from './schema/composite.ts'
import {
  auditSchema,
  codeModeSchema,
  optimizerSchema,
  rateLimitingSchema,
  sealingSchema,
  sessionStorageSchema,
  telemetrySchema,
  tlsSchema,
  workflowLimitsSchema,
  workflowStorageSchema,
} from './schema/extras.ts'
import { operationalSchema } from './schema/operational.ts'
import { bytes, expected, headerName, name, texts, url } from './schema/primitives.ts'

/** A name, or `{name: ...}` as custom resources spell it. */
const reference = z.union([name(), z.strictObject({ name: name().describe('Name. Required.') })], {
  error: expected('a name or {name: ...}'),
})

/**
 * Everything an operator may say, in its one shape: a superset of ToolHive's standalone vmcp YAML (camelCase).
 * Every reader brings its dialect here; types, validation and the JSON Schema are derived from it.
 */
export const configSchema = z.strictObject({
  name: name().optional().describe('Name of this gateway. Default: vmcp.'),
  groupRef: reference.optional().describe('Group whose members are the backends; a name or {name: ...}.'),
  backends: z.array(backendSchema).optional().describe('The MCP servers behind this gateway.'),
  incomingAuth: incomingAuthSchema.optional().describe('Who may connect. Default: anonymous, on loopback only.'),
  outgoingAuth: outgoingAuthSchema.optional().describe('What the gateway shows to backends. Default: nothing.'),
  aggregation: aggregationSchema.optional().describe('How the tools of many backends become one list.'),
  compositeTools: z.array(compositeToolSchema).optional().describe('Workflows offered as tools. Default: [].'),
  compositeToolRefs: z
    .array(
      z.union(
        [
          name(),
          z.strictObject({
            name: name().describe('Name. Required.'),
            namespace: z.string().optional().describe('Namespace of the definition. Default: any.'),
          }),
        ],
        { error: expected('a name or {name: ...}') },
      ),
    )
    .optional()
    .describe('Names of VirtualMCPCompositeToolDefinition manifests among the same files. Default: [].'),
  workflowLimits: workflowLimitsSchema.optional().describe('How large workflows may be, and how long they may take.'),
  workflowStorage: workflowStorageSchema.optional().describe('Where suspended workflow runs live. Default: memory.'),
  operational: operationalSchema.optional().describe('Timeouts, health checks, sessions.'),
  sealing: sealingSchema
    .optional()
    .describe('Keys that seal tokens given to clients. Default: random for each process.'),
  publicUrl: url()
    .optional()
    .describe(
      'URL under which clients reach this gateway; the resource identifier and default audience. References are expanded.',
    ),
  tls: tlsSchema.optional().describe('Certificate of the listener. Default: plain http.'),
  allowedHosts: texts().optional().describe('Hosts accepted on listeners beyond loopback. Default: [].'),
  allowedOrigins: texts().optional().describe('Origins accepted besides the own one. Default: [].'),
  maxRequestBytes: bytes().optional().describe('Largest request body; more is 413. Default: 8Mi.'),
  maxMessageBytes: bytes().optional().describe('Largest single message that must be buffered. Default: 64Mi.'),
  passthroughHeaders: z
    .array(headerName())
    .optional()
    .describe(
      'Headers of the client that backends receive; never credentials, hop-by-hop, forwarding or protocol headers. Default: [].',
    ),
  rateLimiting: rateLimitingSchema.optional().describe('Limits on tool calls. Default: none.'),
  sessionStorage: sessionStorageSchema
    .optional()
    .describe('Where client sessions and rate limits live. Default: memory.'),
  telemetry: telemetrySchema.optional().describe('Traces and metrics.'),
  audit: auditSchema.optional().describe('Record of who did what.'),
  optimizer: optimizerSchema.optional().describe('Search over tools instead of a long list. Default: off.'),
  codeMode: codeModeSchema.optional().describe('Scripts over tools. Default: off.'),
  metadata: z.record(z.string(), z.string()).optional().describe('Notes for people. Default: {}.'),
})

export type AuthoredConfig = z.infer<typeof configSchema>

/** The sections in the order of the reference. */
export const SECTIONS = Object.keys(configSchema.shape)
