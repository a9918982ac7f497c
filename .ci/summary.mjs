// Usage: summary.mjs OTHER_FAILURE FILE...
// Prints `N passed, N failed, N skipped` for vitest JSON reports taken together and exits with 1 when anything failed.
// A report that is not there is a failure, and so is OTHER_FAILURE `1` when the reports know of none.
import { existsSync, readFileSync } from 'node:fs'

const [otherFailure, ...files] = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }
for (const file of files) {
  if (!existsSync(file)) {
    console.error(`no test results in ${file}`)
    total.failed++
    continue
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(file, 'utf8'))
  total.passed += numPassedTests
  total.failed += numFailedTests
  total.skipped += numPendingTests + numTodoTests
}
if (otherFailure === '1' && total.failed === 0) total.failed++
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
