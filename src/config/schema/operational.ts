import { z } from 'zod'
import { duration } from './primitives.ts'

export const operationalSchema = z.strictObject({
  logLevel: z
    .enum(['error', 'warn', 'info', 'debug'])
    .optional()
    .describe('Least severe level that is logged. Default: info.'),
  timeouts: z
    .strictObject({
      default: duration().optional().describe('Longest silence of a backend during a call. Default: 30s.'),
      perWorkload: z.record(z.string(), duration()).optional().describe('The same by backend name. Default: {}.'),
      perTool: z.record(z.string(), duration()).optional().describe('The same by shown tool name. Default: {}.'),
      max: duration()
        .optional()
        .describe('Hard limit of a call, whatever signs of life the backend gives. Default: 30m.'),
    })
    .optional()
    .describe('How long a call may take.'),
  failureHandling: z
    .strictObject({
      partialFailureMode: z
        .enum(['fail', 'best_effort'])
        .optional()
        .describe('fail: not ready while a backend is missing. best_effort: serve the rest. Default: best_effort.'),
      healthCheckInterval: duration().optional().describe('Time between two checks of a backend. Default: 30s.'),
      healthCheckTimeout: duration()
        .optional()
        .describe(
          'Longest time for a check, shorter than the interval; 0s means the default. Default: 10s, at most half the interval.',
        ),
      unhealthyThreshold: z
        .int()
        .min(1)
        .optional()
        .describe('Failures in a row until a backend counts as unhealthy. Default: 3.'),
      statusReportingInterval: duration().optional().describe('Time between two reports to the cluster. Default: 30s.'),
      circuitBreaker: z
        .strictObject({
          enabled: z
            .boolean()
            .optional()
            .describe('Answer at once instead of calling a failing backend. Default: true.'),
          failureThreshold: z.int().min(1).optional().describe('Failures in a row until it opens. Default: 5.'),
          timeout: duration().optional().describe('Time until the next attempt, at least 1s. Default: 60s.'),
        })
        .optional()
        .describe('When to stop calling a failing backend.'),
    })
    .optional()
    .describe('What happens when backends fail.'),
  sessions: z
    .strictObject({
      maxPerBackend: z.int().min(1).optional().describe('Upstream sessions per backend at once. Default: 100.'),
      idleTimeout: duration()
        .optional()
        .describe('Time without a call after which an upstream session is closed. Default: 5m.'),
    })
    .optional()
    .describe('Upstream sessions of backends with sharing perSession.'),
})
