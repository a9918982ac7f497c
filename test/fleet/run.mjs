// `npm run test:fleet`: installs the servers on first use, runs the tests, ends with the line that counts them.
// Options go to vitest; with --outputFile.json=FILE the results stay there.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const INSTALL_LIMIT_MS = 15 * 60_000
const TESTS_LIMIT_MS = 10 * 60_000
/** By default npm waits up to five minutes for each of three attempts. */
const IMPATIENT = ['--fetch-timeout=60000', '--fetch-retries=1', '--fetch-retry-mintimeout=1000']
/** A quarter of the size: drivers, runtimes and canvases, of which no probe needs one. */
const LEAN = ['--ignore-scripts', '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund']

const fleet = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

// npm writes this file last: a broken installation has none.
const installed = timeOf('node_modules/.package-lock.json')
if (installed < timeOf('package-lock.json')) {
  console.log('installing the servers of test/fleet (once, about 1 GB)')
  // On Windows npm is a script, which only a shell starts.
  const npm = spawnSync('npm', ['ci', ...LEAN, ...IMPATIENT], {
    cwd: fleet,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    timeout: INSTALL_LIMIT_MS,
  })
  if (npm.status !== 0) {
    console.error('the servers of test/fleet could not be installed: npm ci failed (can the registry be reached?)')
    process.exit(1)
  }
}

const results = mkdtempSync(join(tmpdir(), 'vmcp-fleet-results-'))
try {
  const options = process.argv.slice(2)
  const FILE_OPTION = '--outputFile.json='
  const asked = options.find((option) => option.startsWith(FILE_OPTION))
  const file = asked?.slice(FILE_OPTION.length) ?? join(results, 'tests.json')
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/fleet/vitest.config.ts', '--root', '.']
  const reports = ['--reporter=default', '--reporter=json', ...(asked ? [] : [FILE_OPTION + file])]
  const tests = run([...vitest, ...reports, ...options])
  const summary = run(['.ci/summary.mjs', tests === 0 ? '0' : '1', file])
  process.exitCode = tests === 0 ? summary : 1
} finally {
  rmSync(results, { recursive: true })
}

function run(args) {
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', timeout: TESTS_LIMIT_MS }).status ?? 1
}

/** Milliseconds since the epoch; 0 for a file that is not there. */
function timeOf(name) {
  return statSync(join(fleet, name), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
