#!/usr/bin/env node
// Runs on any Node: everything that needs a recent one is imported after the check.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(`vmcp needs Node 22.19 or later; this is Node ${process.versions.node}.`)
  process.exit(1)
}

const { run } = await import('./run.ts')
process.exitCode = await run(process.argv.slice(2))
// Output that is still on its way is written out; a handle that somebody left open does not keep us here.
setTimeout(() => process.exit(), 1000).unref()
