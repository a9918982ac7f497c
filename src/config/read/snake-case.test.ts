import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFault } from '../format.ts'
import { loadConfig } from '../load.ts'
import { parseDocument } from '../parse/document.ts'
import { plain } from '../positions.ts'
import { readSnakeCase } from './snake-case.ts'

const FILE = join(import.meta.dirname, '../testdata/vmcp/toolhive-0.6.11.yaml')

test('a file of ToolHive v0.6.11 becomes the same configuration in today’s spelling', async () => {
  const { config, faults } = await loadConfig([FILE], { env: { VMCP_CLIENT_SECRET: 'hush' } })
  expect(config).toMatchObject({
    name: 'engineering-vmcp',
    groupRef: 'engineering-team',
    mode: 'dynamic',
    incomingAuth: { type: 'oidc', issuers: [{ clientId: 'vmcp-client', audiences: ['vmcp'] }] },
    failure: { unhealthyThreshold: 3, circuitBreaker: { failureThreshold: 5 } },
    compositeTools: [
      {
        name: 'deploy_and_notify',
        parameters: { properties: { pr_number: { type: 'integer' } } },
        steps: [
          { id: 'merge', arguments: { merge_method: 'squash' } },
          { id: 'confirm', dependsOn: ['merge'], schema: { properties: { ok_now: { type: 'boolean' } } } },
          { id: 'deploy', dependsOn: ['confirm'], onError: { retryCount: 3, retryDelay: '1s' } },
        ],
      },
    ],
  })
  expect(config?.timeouts.perWorkload.get('internal_db')).toBe(45_000)
  expect(faults.every((fault) => fault.severity === 'warning')).toBe(true)
  expect(faults.map((fault) => fault.path)).toContain('token_cache')
})

test('strategies of backends that are found in a cluster are spelled as today', () => {
  const [document] = parseDocument(FILE, readFileSync(FILE)).documents
  if (document?.kind !== 'map') throw new Error('not a map')
  expect(plain(readSnakeCase(document).tree)).toMatchObject({
    outgoingAuth: {
      backends: {
        github: { type: 'token_exchange', tokenExchange: { clientSecretEnv: 'GITHUB_EXCHANGE_SECRET' } },
        internal_db: { type: 'unauthenticated' },
      },
    },
  })
})

test('faults point at the author’s own spelling; unknown keys are warnings, wrong values errors', async () => {
  const text = `group: g
backends: [{name: a, command: x}]
constructor: x
aggregation:
  conflict_resolution: prefx
  conflict_resolutio_config: {}
operational:
  timeouts: { per_workload: { b: 1s } }
`
  const { faults } = await loadConfig(['-'], { stdin: text })
  expect(faults.map((fault) => `${fault.severity} ${formatFault(fault)}`)).toEqual([
    'warning <stdin>:3:1 constructor: unknown key "constructor" is ignored',
    'error <stdin>:5:24 aggregation.conflict_resolution: expected one of "prefix", "priority", "manual", found "prefx" (did you mean "prefix"?)',
    'warning <stdin>:6:3 aggregation.conflict_resolutio_config: unknown key "conflict_resolutio_config" is ignored (did you mean "conflict_resolution_config"?)',
    'error <stdin>:8:31 operational.timeouts.per_workload.b: there is no backend "b" (there is "a")',
  ])
})
