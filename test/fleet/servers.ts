import { fileURLToPath } from 'node:url'

import type { Era } from '../../src/model/backend.ts'
import type { Probe } from '../support/offer.ts'

/** A published server, as `package.json` beside this file pins it. */
interface FleetServer {
  /** Path of the executable under `node_modules`. */
  script: string
  args?: string[]
  era: Era
  /** Least number of tools. */
  tools: number
  /** None of them changes anything or needs a network, and the answer is the same every time. */
  probes: Probe[]
}

export const FLEET: Record<string, FleetServer> = {
  // Declare resources and answer -32601 to every list of them.
  nx: { script: 'nx-mcp/main.js', args: ['.'], era: 'legacy', tools: 1, probes: [{ tool: 'nx_docs', arguments: {} }] },
  fetch: {
    script: 'mcp-fetch-server/dist/index.js',
    era: 'legacy',
    tools: 6,
    probes: [{ tool: 'fetch_txt', arguments: { url: 'http://127.0.0.1:9/' } }],
  },
  // Print banners on standard output.
  time: {
    script: 'time-mcp/dist/index.js',
    era: 'legacy',
    tools: 6,
    probes: [{ tool: 'days_in_month', arguments: { date: '2024-02-01' } }],
  },
  runner: {
    script: 'mcp-server-code-runner/dist/cli.js',
    era: 'legacy',
    tools: 1,
    probes: [{ tool: 'run-code', arguments: { code: 'console.log(6 * 7)', languageId: 'javascript' } }],
  },
  // Speak 2026-07-28.
  dbhub: {
    script: '@bytebase/dbhub/dist/index.js',
    args: ['--demo'],
    era: 'modern',
    tools: 2,
    probes: [
      { tool: 'search_objects', arguments: { object_type: 'table', detail_level: 'names' } },
      { tool: 'execute_sql', arguments: { sql: 'select 1 as one, null as nothing' } },
      { tool: 'execute_sql', arguments: { sql: 'select from nowhere' } },
    ],
  },
  context7: {
    script: '@upstash/context7-mcp/dist/index.js',
    era: 'modern',
    tools: 2,
    probes: [{ tool: 'query-docs', arguments: { query: 'no library given' } }],
  },
  mongodb: {
    script: 'mongodb-mcp-server/dist/esm/index.js',
    era: 'modern',
    tools: 20,
    probes: [{ tool: 'list-connections' }, { tool: 'count', arguments: { database: 'none' } }],
  },
  // Show their results in an app of their own, linked in _meta.
  pdf: {
    script: '@modelcontextprotocol/server-pdf/dist/index.js',
    args: ['--stdio'],
    era: 'legacy',
    tools: 9,
    probes: [{ tool: 'list_pdfs' }, { resource: 'ui://pdf-viewer/mcp-app.html' }],
  },
  map: {
    script: '@modelcontextprotocol/server-map/dist/index.js',
    args: ['--stdio'],
    era: 'legacy',
    tools: 2,
    probes: [{ resource: 'ui://cesium-map/mcp-app.html' }],
  },
  // Have large schemas.
  git: {
    script: '@cyanheads/git-mcp-server/dist/index.js',
    era: 'legacy',
    tools: 20,
    probes: [{ tool: 'git_status', arguments: {} }, { prompt: 'git_wrapup', arguments: { changelogPath: 'CHANGES' } }],
  },
  notion: {
    script: '@notionhq/notion-mcp-server/bin/cli.mjs',
    era: 'legacy',
    tools: 20,
    probes: [{ tool: 'API-get-self', arguments: {} }],
  },
  chart: {
    script: '@antv/mcp-server-chart/build/index.js',
    era: 'legacy',
    tools: 20,
    probes: [{ tool: 'generate_pie_chart', arguments: {} }],
  },
  drawio: {
    script: '@drawio/mcp/src/index.js',
    era: 'legacy',
    tools: 7,
    probes: [{ tool: 'list_pages', arguments: { path: 'nothing.drawio' } }],
  },
}

export const scriptOf = ({ script }: FleetServer): string =>
  fileURLToPath(new URL(`node_modules/${script}`, import.meta.url))

/** Nothing listens on this port: what a server sends to the outside fails at once, the same way on every machine. */
const NOWHERE = 'http://127.0.0.1:9'

export const OFFLINE = {
  NODE_USE_ENV_PROXY: '1',
  HTTP_PROXY: NOWHERE,
  HTTPS_PROXY: NOWHERE,
  DO_NOT_TRACK: '1',
  MDB_MCP_TELEMETRY: 'disabled',
}
