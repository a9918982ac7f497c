import { z } from 'zod'
import { duration, expected, headerName, name, path, port, text, textMap, texts, url, variable } from './primitives.ts'

const bucketSchema = z.strictObject({
  maxTokens: z.int().min(1).describe('Calls at once. Required.'),
  refillPeriod: duration().describe('Time in which an empty bucket fills up. Required.'),
})

export const rateLimitingSchema = z.strictObject({
  shared: bucketSchema.optional().describe('One bucket for all callers.'),
  perUser: bucketSchema.optional().describe('One bucket for each user.'),
  tools: z
    .array(
      z.strictObject({
        name: name().describe('Shown name of the tool. Required.'),
        shared: bucketSchema.optional().describe('One bucket for all callers of this tool.'),
        perUser: bucketSchema.optional().describe('One bucket for each user of this tool.'),
      }),
    )
    .optional()
    .describe('Limits of single tools. Default: [].'),
  connections: z
    .strictObject({
      perUser: z
        .int()
        .min(1)
        .optional()
        .describe('Requests and streams of one user that are open at once. Default: 256.'),
      total: z.int().min(1).optional().describe('Connections of all clients at once. Default: 20000.'),
    })
    .optional()
    .describe('How much may be open at once.'),
})

export const telemetrySchema = z.strictObject({
  endpoint: z.string().optional().describe('OTLP endpoint.'),
  serviceName: z.string().optional().describe('Service name. Default: the name of this gateway.'),
  serviceVersion: z.string().optional().describe('Service version. Default: that of the gateway.'),
  tracingEnabled: z.boolean().optional().describe('Export traces. Default: false.'),
  metricsEnabled: z.boolean().optional().describe('Export metrics. Default: false.'),
  samplingRate: z
    .union([text('a share between 0 and 1', /^(0(\.\d+)?|1(\.0+)?)$/u), z.number().min(0).max(1)], {
      error: expected('a share between 0 and 1'),
    })
    .optional()
    .describe('Share of traces kept, 0 to 1. Default: "0.05".'),
  headers: textMap().optional().describe('Headers sent to the endpoint. Default: {}.'),
  insecure: z.boolean().optional().describe('Plain http to the endpoint. Default: false.'),
  enablePrometheusMetricsPath: z.boolean().optional().describe('Serve /metrics. Default: false.'),
  prometheusPort: port().optional().describe('Port of the diagnostics listener. Default: 9464.'),
  metricsOnTransportPort: z.boolean().optional().describe('Serve /metrics on the MCP port too. Default: false.'),
  environmentVariables: texts().optional().describe('Environment variables put on spans. Default: [].'),
  customAttributes: textMap().optional().describe('Resource attributes. Default: {}.'),
  useLegacyAttributes: z.boolean().optional().describe('Older attribute names beside the new ones. Default: true.'),
  caCertPath: path().optional().describe('PEM file of the authority of the endpoint.'),
})

export const auditSchema = z.strictObject({
  enabled: z.boolean().optional().describe('Write audit records. Default: false.'),
  component: z.string().optional().describe('Name of the component in records. Default: the name of this gateway.'),
  eventTypes: texts().optional().describe('Types to write. Default: all.'),
  excludeEventTypes: texts().optional().describe('Types to leave out; they win. Default: [].'),
  includeRequestData: z.boolean().optional().describe('Put arguments into records. Default: false.'),
  includeResponseData: z.boolean().optional().describe('Put results into records. Default: false.'),
  detectApplicationErrors: z.boolean().optional().describe('Tell errors inside successful answers. Default: true.'),
  maxDataSize: z.int().min(0).optional().describe('Longest request or result in a record, bytes. Default: 1024.'),
  maxDelegationDepth: z.int().min(0).optional().describe('Longest delegation chain in a record. Default: 10.'),
  logFile: path().optional().describe('File to append to, mode 0600. Default: standard output.'),
})

export const optimizerSchema = z.strictObject({
  enabled: z.boolean().optional().describe('Offer find_tool and call_tool instead of all tools. Default: true.'),
  embeddingProvider: z.enum(['tei', 'openai']).optional().describe('Kind of embedding service. Default: tei.'),
  embeddingService: url().optional().describe('URL of the embedding service. Default: none, words only.'),
  embeddingServiceTimeout: duration().optional().describe('Longest time for an embedding. Default: 30s.'),
  embeddingModel: z.string().optional().describe('Model to ask for.'),
  embeddingHeaders: z
    .record(headerName(), z.string())
    .optional()
    .describe('Headers for the service, openai only. Default: {}.'),
  maxToolsToReturn: z.int().min(1).max(50).optional().describe('Tools found at once. Default: 8.'),
  hybridSearchSemanticRatio: z
    .union([z.string(), z.number()])
    .optional()
    .describe('Share of meaning against words, 0 to 1. Default: "0.5".'),
  semanticDistanceThreshold: z
    .union([z.string(), z.number()])
    .optional()
    .describe('Largest distance of a match by meaning, 0 to 2. Default: "1.0".'),
})

export const codeModeSchema = z.strictObject({
  enabled: z.boolean().optional().describe('Offer execute_tool_script. Default: true.'),
  stepLimit: z.int().min(1).optional().describe('Steps of a script. Default: 100000.'),
  toolCallTimeout: duration().optional().describe('Longest time for a tool call of a script. Default: 30s.'),
  parallelMaxConcurrency: z.int().min(1).optional().describe('Tool calls of a script at once. Default: 10.'),
})

const redis = {
  address: name().optional().describe('host:port of redis. Required with provider redis.'),
  db: z.int().min(0).optional().describe('Number of the redis database. Default: 0.'),
  passwordEnv: variable()
    .optional()
    .describe('Environment variable that holds the redis password. Default: THV_SESSION_REDIS_PASSWORD.'),
}

export const sessionStorageSchema = z.strictObject({
  provider: z.enum(['memory', 'redis']).describe('Where sessions and limits live. Required.'),
  ...redis,
  keyPrefix: z.string().optional().describe('Begins every key. Default: "thv:vmcp:session:".'),
})

export const workflowStorageSchema = z.strictObject({
  provider: z.enum(['memory', 'file', 'redis']).describe('Where suspended runs live. Required.'),
  path: path().optional().describe('Folder, with provider file. Default: below the state folder of the user.'),
  ...redis,
  keyPrefix: z.string().optional().describe('Begins every key. Default: "vmcp:workflow:".'),
  keepValues: duration().optional().describe('How long the values of a run are kept after its end. Default: 24h.'),
  keepRuns: duration().optional().describe('How long a run is listed after its end. Default: 168h.'),
})

export const workflowLimitsSchema = z.strictObject({
  steps: z.int().min(1).optional().describe('Steps of a workflow. Default: 100.'),
  parallel: z.int().min(1).optional().describe('Steps, or iterations of a loop, at once. Default: 10.'),
  iterations: z.int().min(1).optional().describe('Iterations of a loop. Default: 1000.'),
  depth: z.int().min(1).optional().describe('Workflows within workflows, the outermost counted. Default: 5.'),
  runTimeout: duration().optional().describe('Longest time of a run that says nothing else. Default: 30m.'),
  stepTimeout: duration().optional().describe('Longest time of a step that says nothing else. Default: 5m.'),
  questionTimeout: duration()
    .optional()
    .describe('How long a question waits for a modern client, which comes back with the answer. Default: 24h.'),
  askTimeout: duration()
    .optional()
    .describe('How long a question waits for a legacy client, whose request stays open. Default: 5m.'),
})

export const sealingSchema = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        id: name().describe('Name of the key, unique. Required.'),
        valueEnv: variable()
          .optional()
          .describe('Environment variable that holds it: 32 bytes as base64 or hex, or at least 32 characters.'),
        value: z
          .string()
          .optional()
          .describe('The key itself; references such as ${file:PATH} are expanded. Prefer valueEnv.'),
      }),
    )
    .min(1)
    .describe('The first key seals, all open. Required.'),
})

export const tlsSchema = z.strictObject({
  certFile: path().describe(
    'PEM file of the certificate chain, which must be there; references are expanded. Required.',
  ),
  keyFile: path().describe('PEM file of the private key, which must be there; references are expanded. Required.'),
})
