import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import { parse } from 'yaml'

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const
export type Revision = (typeof REVISIONS)[number]

/** The suite, installed as a package. */
const SUITE = dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json'))
export const SUITE_COMMAND = join(SUITE, 'dist/index.js')

/** A frozen set of the suite: what conformance to a revision requires, and what is run beside it. */
interface Requirements {
  server: string[]
  client: string[]
  not_scored: { scenario: string; leg: 'client' | 'server' }[]
}

function requirements(revision: Revision): Requirements {
  const file = readFileSync(join(SUITE, 'requirements', `${revision}.yaml`), 'utf8')
  return parse(file) as Requirements
}

/** Every scenario for clients that the suite knows, of whichever revision. */
export function knownClientScenarios(): string[] {
  const list = execFileSync(process.execPath, [SUITE_COMMAND, 'list', '--client'], { encoding: 'utf8' })
  return [...list.matchAll(/^ +- (\S+)/gmu)].map(([, name = '']) => name)
}

/** What conformance to a revision requires of a client. */
export const scoredOfClient = (revision: Revision): string[] => requirements(revision).client

/** What the suite runs against clients of a revision, scored or not. */
export function clientScenariosOf(revision: Revision): string[] {
  const { client, not_scored: others } = requirements(revision)
  return [...client, ...others.filter(({ leg }) => leg === 'client').map(({ scenario }) => scenario)]
}

/** A scenario that the suite does not score and we demand. */
interface Demand {
  scenario: string
  /** Not in the requirement set: runs by its own name. */
  extra?: true
  /**
   * Checks that must succeed. Without them the scenario could pass by not applying: the suite skips, or only warns
   * about, what a server does not offer.
   */
  succeed: readonly string[]
}

const SKILLS: readonly Demand[] = [
  {
    scenario: 'sep-2640-skills-enumeration',
    extra: true,
    succeed: ['sep-2640-skills-list-implemented', 'sep-2640-skills-get-entry-shape', 'sep-2640-skillmd-required'],
  },
  {
    scenario: 'sep-2640-skills-directory',
    extra: true,
    succeed: ['sep-2640-directory-read-result-resources-shape', 'sep-2640-directory-read-invalid-params'],
  },
  { scenario: 'sep-2640-skills-manifest', extra: true, succeed: ['sep-2640-skillmd-mimetype'] },
]

export const DEMANDED: Record<Revision, readonly Demand[]> = {
  '2025-11-25': [
    { scenario: 'server-session-lifecycle', succeed: ['server-session-terminated-returns-404'] },
    {
      scenario: 'server-sse-polling',
      succeed: ['server-sse-priming-event', 'server-sse-retry-field', 'server-sse-disconnect-resume'],
    },
    { scenario: 'json-schema-2020-12', succeed: ['sep-2106-anchor-keyword-preserved'] },
    ...SKILLS,
  ],
  '2026-07-28': [
    { scenario: 'json-schema-2020-12', succeed: [] },
    { scenario: 'http-header-validation', succeed: ['sep-2243-server-reject-error-code'] },
    { scenario: 'http-custom-header-server-validation', succeed: ['sep-2243-server-decode-base64'] },
    { scenario: 'tasks-lifecycle', succeed: [] },
    { scenario: 'tasks-capability-negotiation', succeed: [] },
    { scenario: 'tasks-wire-fields', succeed: [] },
    { scenario: 'tasks-request-state-removal', succeed: [] },
    { scenario: 'tasks-mrtr-input', succeed: [] },
    { scenario: 'tasks-request-headers', succeed: [] },
    { scenario: 'tasks-dispatch-and-envelope', succeed: [] },
    // The suite always skips this one; it stays here so that a suite that begins to check it is noticed.
    { scenario: 'tasks-status-notifications', succeed: [] },
    { scenario: 'tasks-required-task-error', succeed: ['sep-2663-server-returns-missing-capability-data-shape'] },
    { scenario: 'tasks-mrtr-composition', succeed: [] },
    ...SKILLS,
  ],
}

/** Everything that is run and asserted for a revision. */
export const scenariosOf = (revision: Revision): string[] => [
  ...requirements(revision).server,
  ...DEMANDED[revision].map(({ scenario }) => scenario),
]
