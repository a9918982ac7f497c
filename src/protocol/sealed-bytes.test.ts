import { expect, test } from 'vitest'
import { byteKey, nonces, openBytes, sealBytes } from './sealed-bytes.ts'

const keyOf = (fill: number) => byteKey(Buffer.alloc(32, fill), Buffer.alloc(8, fill))
const [ONE, TWO] = [keyOf(1), keyOf(2)]

test('a text opens with its key, under its binding, and as it was sealed', () => {
  const nonce = nonces()
  const sealed = sealBytes(ONE, nonce(), 'grüße', 'mine')
  expect(openBytes([TWO, ONE], sealed, 'mine')).toBe('grüße')
  expect(openBytes([ONE], sealed, 'yours')).toBeUndefined()
  expect(openBytes([TWO], sealed, 'mine')).toBeUndefined()
  expect(openBytes([ONE], sealBytes(ONE, nonce(), '', 'mine'), 'mine')).toBe('')
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(openBytes([ONE, TWO], changed, 'mine')).toBeUndefined()
    expect(openBytes([ONE, TWO], sealed.slice(0, at), 'mine')).toBeUndefined()
  }
})

test('it stands alone in its memory, and opens from the middle of another one', () => {
  const sealed = sealBytes(ONE, nonces()(), 'x', 'mine')
  expect(sealed.byteLength).toBe(sealed.buffer.byteLength)
  const within = Buffer.concat([Buffer.alloc(3), sealed, Buffer.alloc(3)]).subarray(3, -3)
  expect(openBytes([ONE], within, 'mine')).toBe('x')
})

test('no two nonces are the same, however many there are', () => {
  const nonce = nonces()
  const all = Array.from({ length: 2_000 }, () => Buffer.from(nonce()).toString('hex'))
  expect(new Set(all).size).toBe(all.length)
})
