import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'fleet',
    include: ['test/fleet/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The official client writes about every list that a server does not have.
    silent: 'passed-only',
  },
})
