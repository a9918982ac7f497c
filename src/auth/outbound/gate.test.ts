import { expect, test } from 'vitest'
import { createGate } from './gate.ts'

test('so many run, so many wait in order, the rest is refused, and a failure frees its place', async () => {
  const gate = createGate(1, 2, () => new Error('full'))
  const order: string[] = []
  let open: () => void = () => {}
  const first = gate(async () => {
    await new Promise<void>((done) => (open = done))
    order.push('first')
    throw new Error('broken')
  })
  const second = gate(async () => void order.push('second'))
  const third = gate(async () => void order.push('third'))
  await expect(gate(async () => {})).rejects.toThrow('full')
  open()
  await expect(first).rejects.toThrow('broken')
  await Promise.all([second, third])
  await gate(async () => void order.push('fourth'))
  expect(order).toEqual(['first', 'second', 'third', 'fourth'])
})
