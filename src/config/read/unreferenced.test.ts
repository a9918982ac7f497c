import { expect, test } from 'vitest'
import { formatFault } from '../format.ts'
import { loadConfig } from '../load.ts'

const definition = (name: string, spec: string): string =>
  `apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPCompositeToolDefinition
metadata: { name: ${name} }
spec: ${spec}
---
`
const SERVER = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPGroup
metadata: { name: g }
---
apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: { name: s }
spec: { groupRef: { name: g }, config: { compositeToolRefs: [{ name: one }] } }
`
const ONE = definition('one', '{ name: one, steps: [{ id: a, tool: x }] }')
const TWO = definition('two', '{ name: two, steps: [{ id: a, type: tool_call, tool: x }] }')
const BAD = definition('bad', '{ name: bad, steps: [{ id: a, tol: x }] }')

async function read(stdin: string) {
  const { config, faults, unreferenced } = await loadConfig(['-'], { stdin, env: {} })
  const texts = (all: typeof faults) => all.filter(({ severity }) => severity === 'error').map(formatFault)
  const { compositeTools, locate, faults: wrong } = unreferenced
  return {
    served: config?.compositeTools.map(({ name }) => name),
    faults: texts(faults),
    others: compositeTools.map(({ name }) => name),
    wrong: texts([...wrong]),
    locate,
  }
}

test('where nothing could refer to definitions, all of them are meant', async () => {
  expect(await read(ONE + TWO)).toMatchObject({ served: ['one', 'two'], faults: [], others: [] })
  expect((await read(ONE + BAD)).faults).toEqual([expect.stringMatching(/^<stdin>:9:\d+ .*unknown key "tol"/u)])
  const beside = 'backends: [{ name: a, url: "http://a/mcp" }]\n'
  expect(await read(`${ONE + TWO}${beside}`)).toMatchObject({ served: ['one', 'two'], others: [] })
  const refers = `${beside}compositeToolRefs: [two]\n`
  expect(await read(`${ONE + TWO}${refers}`)).toMatchObject({ served: ['two'], others: ['one'] })
  expect(await read(`${ONE}${beside}compositeToolRefs: []\n`)).toMatchObject({ served: [], others: ['one'] })
})

test('those that a server leaves out are read all the same, and their faults are its own affair', async () => {
  const { served, faults, others, wrong, locate } = await read(ONE + TWO + BAD + SERVER)
  expect({ served, faults, others }).toEqual({ served: ['one'], faults: [], others: ['two'] })
  expect(wrong).toEqual([expect.stringMatching(/^<stdin>:14:\d+ .*unknown key "tol"/u)])
  expect(locate(['compositeTools', 0, 'steps', 0])).toMatchObject({ line: 9 })
})
