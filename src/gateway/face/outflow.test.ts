import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Outflow } from './outflow.ts'

function full(): { output: PassThrough; flow: Outflow } {
  const output = new PassThrough({ readableHighWaterMark: 1, writableHighWaterMark: 1 })
  output.write('first')
  output.write('second')
  return { output, flow: new Outflow(output) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('is full until its reader has read', async () => {
  const { output, flow } = full()
  let told = 0
  flow.onDrain(() => told++)
  expect([flow.full, told]).toEqual([true, 0])
  output.resume()
  await turn()
  expect([flow.full, told]).toEqual([false, 1])
})

test('of many who wait, each has its turn', async () => {
  const { output, flow } = full()
  const turns: string[] = []
  const send = (name: string): void => {
    flow.onDrain(() => {
      turns.push(name)
      output.write(name)
      output.write(name)
      if (turns.length < 6) send(name)
    })
  }
  for (const name of ['one', 'two', 'three']) send(name)
  output.resume()
  for (let count = 0; count < 20; count++) await turn()
  expect(turns).toEqual(['one', 'two', 'three', 'one', 'two', 'three', 'one', 'two'].slice(0, turns.length))
  expect(turns.length).toBeGreaterThanOrEqual(6)
})

test('nobody waits for a reader that is gone, or after the wait was given up', async () => {
  const { output, flow } = full()
  const told: string[] = []
  flow.onDrain(() => told.push('stays'))
  flow.onDrain(() => told.push('leaves'))()
  output.destroy()
  await turn()
  expect([flow.full, told]).toEqual([false, ['stays']])
})
