import { expect, test } from 'vitest'
import { IdSplicer } from './splice.ts'

const ID = 123_456_789_012_345
function splice(...chunks: string[]): { text: string; done: boolean } {
  const splicer = new IdSplicer(ID, '"me"')
  const out = chunks.flatMap((chunk) => splicer.push(Buffer.from(chunk)))
  return { text: Buffer.concat([...out, ...splicer.end()]).toString(), done: splicer.done }
}

test('an id in front passes everything on at once', () => {
  const splicer = new IdSplicer(ID, '7')
  const rest = `,"result":{"text":"${'x'.repeat(1000)}","id":${ID}`
  const out = splicer.push(Buffer.from(`{"jsonrpc":"2.0","id":${ID}${rest}`))
  expect(Buffer.concat(out).toString()).toBe(`{"jsonrpc":"2.0","id":7${rest}`)
  expect(splicer.push(Buffer.from('}}')).toString()).toBe('}}')
  expect(splicer.end()).toEqual([])
})

test('an id at the end, where the official SDK writes it', () => {
  const text = `{"result":{"text":"${'x'.repeat(1000)}"},"jsonrpc":"2.0","id":${ID}}`
  expect(splice(text)).toEqual({ text: text.replace(String(ID), '"me"'), done: true })
})

test('an id of the result is not the id of the response', () => {
  const before = `{"result":{"structuredContent":{"id":${ID}}}`
  expect(splice(`${before},"id":`, `${ID},"jsonrpc":"2.0"} \n`)).toEqual({
    text: `${before},"id":"me","jsonrpc":"2.0"} \n`,
    done: true,
  })
})

test('a response without the id', () => {
  const text = `{"jsonrpc":"2.0","id":1,"result":{"id":${ID}}}`
  expect(splice(text)).toEqual({ text, done: false })
})
