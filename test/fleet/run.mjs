// `npm run test:fleet`: installs the servers on first use, runs the tests, ends with the line that counts them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const fleet = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

// npm writes this file last: a broken installation has none.
const installed = timeOf('node_modules/.package-lock.json')
if (installed < timeOf('package-lock.json')) {
  console.log('installing the servers of test/fleet (once, about 500 MB)')
  // On Windows npm is a script, which only a shell starts.
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--prefer-offline'], {
    cwd: fleet,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0) {
    console.error('npm ci in test/fleet failed')
    process.exit(1)
  }
}

const results = mkdtempSync(join(tmpdir(), 'vmcp-fleet-results-'))
try {
  const file = join(results, 'tests.json')
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/fleet/vitest.config.ts']
  const reports = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const tests = run([...vitest, '--root', '.', ...reports, ...process.argv.slice(2)])
  const summary = run(['.ci/summary.mjs', file, tests === 0 ? '0' : '1'])
  process.exitCode = tests === 0 ? summary : 1
} finally {
  rmSync(results, { recursive: true })
}

function run(args) {
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1
}

/** Milliseconds since the epoch; 0 for a file that is not there. */
function timeOf(name) {
  return statSync(join(fleet, name), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
