import { expect, test } from 'vitest'
import type { Call, Context, Core, Layer } from '../model/call.ts'
import { compose } from './compose.ts'

test('the first layer is the outermost', async () => {
  const told: string[] = []
  const core: Core = {
    catalogue: async () => expect.unreachable(),
    watch: () => () => {},
    follow: async () => () => {},
    watchTasks: async () => ({ ids: [], end: () => {} }),
    invoke: async () => {
      told.push('core')
      return { kind: 'result', value: {}, era: 'legacy' }
    },
  }
  const layer =
    (name: string): Layer =>
    (inner) => ({
      ...inner,
      async invoke(call, context) {
        told.push(`${name} in`)
        const outcome = await inner.invoke(call, context)
        told.push(`${name} out`)
        return outcome
      },
    })
  await compose(core, [layer('a'), layer('b')]).invoke({} as Call, {} as Context)
  expect(told).toEqual(['a in', 'b in', 'core', 'b out', 'a out'])
  expect(compose(core, [])).toBe(core)
})
