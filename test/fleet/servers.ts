import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Era } from '../../src/model/backend.ts'
import type { Probe } from '../support/offer.ts'

/** A published server, as `package.json` beside this file pins it. */
export interface FleetServer {
  package: string
  /** Path of the executable in the package. */
  script: string
  args?: string[]
  env?: Record<string, string>
  /** The newest that it speaks: a modern one speaks the legacy revisions too. */
  era: Era
  /** How many tools, resources, templates and prompts it lists for a client that declares no capabilities. */
  offers: readonly [number, number, number, number]
  /**
   * None of them changes what a later one sees or needs a network or a browser, and the answer is the same every time
   * but for what `moving` matches. The first is a tool call.
   */
  probes: [{ tool: string } & Probe, ...Probe[]]
  /** Times and random ids in definitions and answers. */
  moving?: RegExp
}

const ISO_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g
const UUID = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g

/** The servers by the name that the gateway gives them. `folder` is their home and working folder. */
export function fleetIn(folder: string): Record<string, FleetServer> {
  const memory = join(folder, 'memory.jsonl')
  writeFileSync(
    memory,
    `${JSON.stringify({ type: 'entity', name: 'Ada', entityType: 'person', observations: ['x'] })}\n`,
  )
  writeFileSync(join(folder, 'note.txt'), 'first line\nsecond line\n')
  return {
    everything: {
      package: '@modelcontextprotocol/server-everything',
      script: 'dist/index.js',
      args: ['stdio'],
      era: 'legacy',
      offers: [13, 7, 2, 4],
      probes: [
        { tool: 'echo', arguments: { message: 'ünïcode \u2028 "quoted"' } },
        { tool: 'get-structured-content', arguments: { location: 'New York' } },
        { tool: 'get-annotated-message', arguments: { messageType: 'error', includeImage: true } },
        { tool: 'get-resource-links', arguments: { count: 3 } },
        { resource: 'demo://resource/static/document/features.md' },
        { resource: 'demo://resource/dynamic/text/1' },
        { prompt: 'args-prompt', arguments: { city: 'Paris', state: 'Texas' } },
        { prompt: 'resource-prompt', arguments: { resourceType: 'Text', resourceId: '1' } },
      ],
      moving: /\d+:\d\d:\d\d [AP]M/g,
    },
    filesystem: {
      package: '@modelcontextprotocol/server-filesystem',
      script: 'dist/index.js',
      args: ['.'],
      era: 'legacy',
      offers: [14, 0, 0, 0],
      probes: [
        { tool: 'list_allowed_directories' },
        { tool: 'read_text_file', arguments: { path: join(folder, 'note.txt'), head: 1 } },
        { tool: 'read_text_file', arguments: { path: '/' } },
      ],
    },
    memory: {
      package: '@modelcontextprotocol/server-memory',
      script: 'dist/index.js',
      env: { MEMORY_FILE_PATH: memory },
      era: 'legacy',
      offers: [9, 1, 0, 0],
      probes: [{ tool: 'read_graph' }, { resource: 'memory://knowledge-graph' }],
    },
    thinking: {
      package: '@modelcontextprotocol/server-sequential-thinking',
      script: 'dist/index.js',
      era: 'legacy',
      offers: [1, 0, 0, 0],
      probes: [
        {
          tool: 'sequentialthinking',
          arguments: { thought: 'why', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
        },
      ],
    },

    // Show their results in an app of their own, linked in _meta.
    pdf: {
      package: '@modelcontextprotocol/server-pdf',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [9, 1, 0, 0],
      probes: [
        { tool: 'list_pdfs' },
        { tool: 'read_pdf_bytes', arguments: { url: 'file:///nothing.pdf', offset: 0 } },
        { resource: 'ui://pdf-viewer/mcp-app.html' },
      ],
    },
    map: {
      package: '@modelcontextprotocol/server-map',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [2, 1, 0, 0],
      probes: [{ tool: 'show-map' }, { resource: 'ui://cesium-map/mcp-app.html' }],
      moving: UUID,
    },
    threejs: {
      package: '@modelcontextprotocol/server-threejs',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [2, 1, 0, 0],
      probes: [{ tool: 'learn_threejs' }, { tool: 'show_threejs_scene' }, { resource: 'ui://threejs/mcp-app.html' }],
    },
    monitor: {
      package: '@modelcontextprotocol/server-system-monitor',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [2, 1, 0, 0],
      probes: [{ tool: 'get-system-info' }, { resource: 'ui://system-monitor/mcp-app.html' }],
    },
    budget: {
      package: '@modelcontextprotocol/server-budget-allocator',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [1, 1, 0, 0],
      probes: [{ tool: 'get-budget-data' }, { resource: 'ui://budget-allocator/mcp-app.html' }],
    },
    scenario: {
      package: '@modelcontextprotocol/server-scenario-modeler',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [1, 1, 0, 0],
      probes: [
        { tool: 'get-scenario-data' },
        { tool: 'get-scenario-data', arguments: { customInputs: { startingMRR: 'much' } } },
        { resource: 'ui://scenario-modeler/mcp-app.html' },
      ],
    },
    vanilla: {
      package: '@modelcontextprotocol/server-basic-vanillajs',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [1, 1, 0, 0],
      probes: [{ tool: 'get-time' }, { resource: 'ui://get-time/mcp-app.html' }],
      moving: ISO_TIME,
    },
    debug: {
      package: '@modelcontextprotocol/server-debug',
      script: 'dist/index.js',
      args: ['--stdio'],
      era: 'legacy',
      offers: [3, 1, 0, 0],
      // Counts its calls: a process that another client has called before would answer with a higher counter.
      probes: [
        { tool: 'debug-tool', arguments: { contentType: 'mixed' } },
        { tool: 'debug-tool', arguments: { simulateError: true } },
        { tool: 'debug-refresh' },
        { resource: 'ui://debug-tool/mcp-app.html' },
      ],
      moving: new RegExp(`${ISO_TIME.source}|(?<="processedAt":)\\d+`, 'g'),
    },

    // Speak 2026-07-28.
    dbhub: {
      package: '@bytebase/dbhub',
      script: 'dist/index.js',
      args: ['--demo'],
      era: 'modern',
      offers: [2, 0, 0, 0],
      probes: [
        { tool: 'search_objects', arguments: { object_type: 'table', detail_level: 'names' } },
        { tool: 'execute_sql', arguments: { sql: 'select 1 as one, null as nothing' } },
        { tool: 'execute_sql', arguments: { sql: 'select from nowhere' } },
      ],
    },
    context7: {
      package: '@upstash/context7-mcp',
      script: 'dist/index.js',
      era: 'modern',
      offers: [2, 0, 0, 0],
      probes: [{ tool: 'query-docs', arguments: { query: 'no library given' } }],
    },
    // Has no database to connect to.
    mongodb: {
      package: 'mongodb-mcp-server',
      script: 'dist/esm/index.js',
      era: 'modern',
      offers: [27, 2, 1, 0],
      probes: [
        { tool: 'list-connections' },
        { tool: 'count', arguments: { database: 'none' } },
        { resource: 'debug://mongodb' },
        { resource: 'config://config' },
        { resource: 'exported-data://none' },
      ],
    },

    // Have large schemas.
    git: {
      package: '@cyanheads/git-mcp-server',
      script: 'dist/index.js',
      era: 'legacy',
      offers: [28, 1, 1, 1],
      probes: [
        { tool: 'git_status' },
        { resource: 'git://working-directory' },
        { prompt: 'git_wrapup', arguments: { changelogPath: 'CHANGES' } },
      ],
    },
    // Has no token.
    notion: {
      package: '@notionhq/notion-mcp-server',
      script: 'bin/cli.mjs',
      era: 'legacy',
      offers: [24, 0, 0, 0],
      probes: [{ tool: 'API-get-self' }],
    },
    chart: {
      package: '@antv/mcp-server-chart',
      script: 'build/index.js',
      era: 'legacy',
      offers: [27, 0, 0, 0],
      probes: [{ tool: 'generate_pie_chart' }],
    },
    drawio: {
      package: '@drawio/mcp',
      script: 'src/index.js',
      era: 'legacy',
      offers: [7, 0, 0, 0],
      probes: [{ tool: 'list_pages', arguments: { path: 'nothing.drawio' } }],
    },

    // Every tool but with wrong arguments starts a browser, which a machine may have or not.
    devtools: {
      package: 'chrome-devtools-mcp',
      script: 'build/src/bin/chrome-devtools-mcp.js',
      args: ['--headless'],
      env: { CHROME_DEVTOOLS_MCP_NO_UPDATE_CHECKS: '1', CHROME_DEVTOOLS_MCP_NO_USAGE_STATISTICS: '1' },
      era: 'legacy',
      offers: [32, 0, 0, 0],
      probes: [{ tool: 'click' }, { tool: 'navigate_page', arguments: { pageId: 1, type: 'sideways' } }],
    },
    // Looks for its browser before it looks at the call: here it never finds one, and says so.
    playwright: {
      package: '@playwright/mcp',
      script: 'cli.js',
      args: ['--headless'],
      env: { PLAYWRIGHT_MCP_EXECUTABLE_PATH: join(folder, 'no-browser') },
      era: 'legacy',
      offers: [25, 0, 0, 0],
      probes: [{ tool: 'browser_tabs', arguments: { action: 'list' } }],
    },
    // Draws with a browser, of which it finds none in its empty home.
    mermaid: {
      package: 'mcp-mermaid',
      script: 'build/index.js',
      era: 'legacy',
      offers: [1, 0, 0, 0],
      probes: [
        { tool: 'generate_mermaid_diagram' },
        { tool: 'generate_mermaid_diagram', arguments: { mermaid: 'graph TD; A-->B', outputType: 'mermaid' } },
      ],
    },
    // Has no key.
    currents: {
      package: '@currents/mcp',
      script: 'build/index.js',
      era: 'legacy',
      offers: [8, 0, 0, 0],
      probes: [{ tool: 'currents-get-projects' }, { tool: 'currents-get-run-details' }],
      // The default of a date is now.
      moving: ISO_TIME,
    },
    eslint: {
      package: '@eslint/mcp',
      script: 'src/mcp-cli.js',
      era: 'legacy',
      offers: [1, 0, 0, 0],
      probes: [
        { tool: 'lint-files', arguments: { filePaths: [join(folder, 'nothing.js')] } },
        { tool: 'lint-files', arguments: { filePaths: [] } },
      ],
    },
    mui: {
      package: '@mui/mcp',
      script: 'stdio.js',
      era: 'legacy',
      offers: [2, 0, 0, 0],
      probes: [{ tool: 'fetchDocs', arguments: { urls: ['https://mui.com/llms.txt'] } }, { tool: 'fetchDocs' }],
    },

    // Declare resources and answer -32601 to every list of them.
    nx: {
      package: 'nx-mcp',
      script: 'main.js',
      args: ['.'],
      era: 'legacy',
      offers: [1, 0, 0, 0],
      probes: [{ tool: 'nx_docs' }],
    },
    fetch: {
      package: 'mcp-fetch-server',
      script: 'dist/index.js',
      era: 'legacy',
      offers: [6, 0, 0, 0],
      probes: [{ tool: 'fetch_txt', arguments: { url: 'http://127.0.0.1:9/' } }],
    },
    // Print banners on standard output.
    time: {
      package: 'time-mcp',
      script: 'dist/index.js',
      era: 'legacy',
      offers: [6, 0, 0, 0],
      probes: [{ tool: 'days_in_month', arguments: { date: '2024-02-01' } }],
    },
    runner: {
      package: 'mcp-server-code-runner',
      script: 'dist/cli.js',
      era: 'legacy',
      offers: [1, 0, 0, 0],
      probes: [{ tool: 'run-code', arguments: { code: 'console.log(6 * 7)', languageId: 'javascript' } }],
    },
  }
}

export const pathOf = (file: string): string => fileURLToPath(new URL(`node_modules/${file}`, import.meta.url))

/** Nothing listens on this port: what a server sends to the outside fails at once, the same way on every machine. */
const NOWHERE = 'http://127.0.0.1:9'

export const OFFLINE = {
  NODE_USE_ENV_PROXY: '1',
  HTTP_PROXY: NOWHERE,
  HTTPS_PROXY: NOWHERE,
  DO_NOT_TRACK: '1',
  MDB_MCP_TELEMETRY: 'disabled',
}
