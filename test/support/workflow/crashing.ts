import { parseJson } from '../../../src/protocol/json.ts'
import { createEngine, type Engine } from '../../../src/workflow/run/engine.ts'
import { CLOCK, type StepCall } from '../../../src/workflow/run/ports.ts'
import { DEFAULT_SETTINGS } from '../../../src/workflow/run/settings.ts'
import { openFileStore } from '../../../src/workflow/store/file-store.ts'
import type { RunStore } from '../../../src/workflow/store/run-store.ts'
import { plan, question, tool } from './engine.ts'
import { sealingWith, TEST_KEY } from './sealing.ts'

/** One call before the question; behind it one that may be repeated and one that may not, and one behind each. */
export const CRASHING = plan([
  tool('before'),
  question('ok', [0]),
  tool('safe', [1], { repeatable: true }),
  tool('risky', [1], { onError: { action: 'continue', retries: 0, delayMs: 0 }, defaults: 'none' }),
  tool('last', [2, 3], { arguments: ({ steps }) => ({ risky: steps['risky']?.status ?? '' }) }),
])

/** A process that dies is noticed soon. */
const LEASE_MS = 600

/** An engine of its own process over a shared file. */
export async function crashing(
  folder: string,
  call: (step: StepCall<string>) => Promise<{ output: string }>,
): Promise<{ engine: Engine<string>; store: RunStore }> {
  const store = await openFileStore({ folder, sealing: sealingWith(TEST_KEY), parse: parseJson })
  const ports = { ...CLOCK, store, call, plan: () => ({ plan: CRASHING }), check: () => undefined }
  return { engine: createEngine(ports, { ...DEFAULT_SETTINGS, leaseMs: LEASE_MS }), store }
}
