import { expect, test } from 'vitest'
import type { SealingKey } from '../../model/settings.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { runSealing } from './run-sealing.ts'

const [OLD, NEW] = [1, 2].map((fill) => ({ id: `k${fill}`, key: Buffer.alloc(32, fill) })) as [SealingKey, SealingKey]

test('no two seals share a nonce, however many there are, and each opens', () => {
  const { seal, open } = runSealing(() => [OLD])
  const all = Array.from({ length: 700 }, (_, index) => seal(`${index}`, 'b'))
  expect(all.map((sealed) => open(sealed, 'b'))).toEqual(all.map((_, index) => `${index}`))
  expect(new Set(all.map((sealed) => Buffer.from(sealed).toString('hex', 4, 16))).size).toBe(all.length)
})

test('the first key seals, all open, and another one seals as soon as it comes first', () => {
  let keys = [OLD]
  const { seal, open, key } = runSealing(() => keys)
  const [before, name] = [seal('x', 'b'), key()]
  keys = [NEW, OLD]
  expect(key()).not.toBe(name)
  expect([open(before, 'b'), open(before, 'other')]).toEqual(['x', undefined])
  const after = seal('y', 'b')
  keys = [NEW]
  expect([open(before, 'b'), open(after, 'b')]).toEqual([undefined, 'y'])
})

test('what seals runs opens no tokens, nor the other way round', () => {
  const sealing = runSealing(() => [OLD])
  const sealer = new Sealer([OLD])
  const token = sealer.seal('x', 'b')
  expect(sealer.open(Buffer.from(sealing.seal('"x"', 'b')).toString('base64url'), 'b')).toBeUndefined()
  expect(sealing.open(Buffer.from(token, 'base64url'), 'b')).toBeUndefined()
})
