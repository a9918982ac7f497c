import process from 'node:process'

// The command for `conformance client --command`: the suite appends the URL of its server and names the scenario in the
// environment. A gateway is too much to load anew for each scenario, so the order goes to the driver of the test.

const {
  MCP_CONFORMANCE_SCENARIO: scenario,
  MCP_CONFORMANCE_PROTOCOL_VERSION: revision,
  MCP_CONFORMANCE_CONTEXT: context = '{}',
  VMCP_CLIENT_ERA: era,
  VMCP_CLIENT_PLAN: plan = scenario,
  VMCP_CLIENT_DRIVER: driver = '',
} = process.env
const order = { plan, revision, era, url: process.argv.at(-1), context: JSON.parse(context) as unknown }
const answer = await fetch(driver, { method: 'POST', body: JSON.stringify(order) })
console.log(await answer.text())
process.exitCode = answer.ok ? 0 : 1
