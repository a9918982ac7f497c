import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// On a CI machine that stalls, a test that is about time gets a second chance; a broken one fails twice.
const retry = process.env['CI'] ? 1 : 0

export default defineConfig({
  test: {
    // Most tests wait more than they work: two cores carry three files at a time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts'] } },
      { test: { name: 'property', include: ['test/property/**/*.test.ts'], testTimeout: 60_000, retry } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, retry } },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxConcurrency: 3,
        },
      },
      {
        test: {
          name: 'matrix',
          include: ['test/matrix/**/*.test.ts'],
          globalSetup: ['test/matrix/coverage.ts'],
          testTimeout: 15_000,
          hookTimeout: 30_000,
          retry,
        },
      },
    ],
  },
})
