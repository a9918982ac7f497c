import { parseArgs } from 'node:util'

import { EXCEPTIONS } from './exceptions.ts'
import type { View } from './fixture/door.ts'
import { scenariosOf, type Revision } from './requirements.ts'
import { runServerScenario, runServerSuite } from './run.ts'
import { startFixture, startGatewayBefore } from './setups.ts'
import { judge, shortfalls } from './verdict.ts'

// node test/conformance/report.ts --requirements 2026-07-28 --view legacy [--merged | --direct] [--scenario NAME]
// One run of the measure, with every failing check: for work on one cell.

const { values } = parseArgs({
  options: {
    requirements: { type: 'string', default: '2026-07-28' },
    view: { type: 'string', default: 'both' },
    merged: { type: 'boolean', default: false },
    direct: { type: 'boolean', default: false },
    scenario: { type: 'string' },
  },
})
const revision = values.requirements as Revision
const view = values.view as View
const { scenario } = values

const started = performance.now()
const target = await (values.direct ? startFixture(view) : startGatewayBefore(view, values.merged))
const results = await (scenario
  ? runServerScenario(target.url, scenario, revision)
  : runServerSuite(target.url, revision))
await target.end()

const scenarios = scenario ? [scenario] : scenariosOf(revision)
let passed = 0
for (const name of scenarios) {
  const exceptions = EXCEPTIONS.filter(
    (each) => !values.direct && each.requirements === revision && each.view === view && each.scenario === name,
  )
  const { failures, stale } = judge(shortfalls(revision, name, results.get(name)), exceptions)
  if (failures.length + stale.length === 0) passed += 1
  else console.log(name)
  for (const { check, message } of failures) console.log(`  ${check}: ${message}`)
  for (const { check = 'all', reason } of stale) console.log(`  exception for ${check} excuses nothing: ${reason}`)
}
console.log(`${passed}/${scenarios.length} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
