// Prints `N passed, N failed, N skipped` for a vitest JSON report and exits with 1 when anything failed.
import { readFileSync } from 'node:fs'

const [file, otherFailure] = process.argv.slice(2)
const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(file, 'utf8'))
const failed = numFailedTests + (otherFailure === '1' && numFailedTests === 0 ? 1 : 0)
console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped`)
process.exitCode = failed > 0 || numPassedTests === 0 ? 1 : 0
