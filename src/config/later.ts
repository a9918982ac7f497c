import type { AuthoredConfig } from './schema.ts'

/** Sections that are understood but have no effect yet, and when a file uses them. */
const LATER: Readonly<Record<string, (config: AuthoredConfig) => boolean>> = {
  'workflowStorage.provider: redis': (config) => config.workflowStorage?.provider === 'redis',
  optimizer: (config) => config.optimizer !== undefined && config.optimizer.enabled !== false,
  codeMode: (config) => config.codeMode !== undefined && config.codeMode.enabled !== false,
  audit: (config) => config.audit?.enabled === true,
  telemetry: (config) =>
    config.telemetry?.tracingEnabled === true ||
    config.telemetry?.metricsEnabled === true ||
    config.telemetry?.enablePrometheusMetricsPath === true,
  sessionStorage: (config) => config.sessionStorage?.provider === 'redis',
  'backends[].caBundlePath': (config) => (config.backends ?? []).some((backend) => backend.caBundlePath !== undefined),
}

/** Names of the sections of a file whose features this gateway does not have yet. */
export const laterSections = (config: AuthoredConfig): string[] =>
  Object.keys(LATER).filter((section) => LATER[section]?.(config))
