import { REQUIREMENTS } from './requirements.ts'

declare module 'vitest' {
  interface TaskMeta {
    covers?: readonly string[]
  }
}

/** Options of a test that proves these requirements: `test('...', covers('hard.1.once'), () => {})`. */
export function covers(...ids: readonly string[]): { meta: { covers: readonly string[] } } {
  for (const id of ids) {
    const row = REQUIREMENTS.get(id)
    if (!row) throw new Error(`the requirement ${id}, which a test cites, does not exist`)
    if (row.status !== 'carried') throw new Error(`the requirement ${id} is not carried, and a test cites it`)
  }
  return { meta: { covers: ids } }
}
