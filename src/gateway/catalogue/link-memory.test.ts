import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OwnerKey } from '../../model/ids.ts'
import { backendId, principalOwner } from '../../model/ids.ts'
import { LinkMemory } from './link-memory.ts'

const [ANN, BOB] = [principalOwner('ann'), principalOwner('bob')]
const [FILES, NOTES] = [backendId('files'), backendId('notes')]
const MINUTE = 60_000

function memory() {
  const clock = { now: 0 }
  return { clock, links: new LinkMemory(() => clock.now) }
}

const uris = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `x://${from + index}`)

test('whoever saw a link finds its backend, nobody else does', () => {
  const { links } = memory()
  links.remember(ANN, ['x://1', 'x://2', 'x://1'], FILES)
  links.remember(BOB, ['x://1'], NOTES)
  expect(links.find(ANN, 'x://1')).toBe(FILES)
  expect(links.find(BOB, 'x://1')).toBe(NOTES)
  expect(links.find(BOB, 'x://2')).toBeUndefined()
  links.remember(ANN, ['x://1'], NOTES)
  expect(links.find(ANN, 'x://1')).toBe(NOTES)
  links.remember(ANN, [], NOTES)
  expect(links.size).toBe(3)
})

test('a link is good for half an hour after it was last seen', () => {
  const { clock, links } = memory()
  links.remember(ANN, ['x://1', 'x://2'], FILES)
  clock.now = 20 * MINUTE
  links.remember(ANN, ['x://1'], FILES)
  clock.now = 40 * MINUTE
  expect(links.find(ANN, 'x://1')).toBe(FILES)
  expect(links.find(ANN, 'x://2')).toBeUndefined()
  links.remember(BOB, ['x://3'], FILES)
  expect(links.size).toBe(2)
  clock.now = 80 * MINUTE
  links.remember(BOB, ['x://4'], FILES)
  expect(links.size).toBe(1)
})

test('who has left is forgotten', () => {
  const { links } = memory()
  links.remember(ANN, uris(10), FILES)
  links.remember(BOB, uris(1), FILES)
  links.forget(ANN)
  links.forget(ANN)
  expect(links.size).toBe(1)
  expect(links.find(ANN, 'x://1')).toBeUndefined()
})

test('of one caller the latest thousand links are kept', () => {
  const { links } = memory()
  links.remember(ANN, uris(900), FILES)
  links.remember(ANN, uris(900, 500), FILES)
  expect(links.size).toBe(1000)
  expect(links.find(ANN, 'x://399')).toBeUndefined()
  expect(links.find(ANN, 'x://400')).toBe(FILES)
})

test('of all callers fifty thousand, and a caller who goes on keeps what the quiet ones lose', () => {
  const { links } = memory()
  links.remember(ANN, uris(1000), FILES)
  for (let index = 0; index < 60; index++) {
    links.remember(principalOwner(`other ${index}`), uris(1000), NOTES)
    links.remember(ANN, ['x://999'], FILES)
    expect(links.size).toBeLessThanOrEqual(50_000)
  }
  expect(links.find(ANN, 'x://1')).toBe(FILES)
  expect(links.find(principalOwner('other 0'), 'x://1')).toBeUndefined()
  expect(links.find(principalOwner('other 59'), 'x://999')).toBe(NOTES)
})

test('whatever happens, the count is right and nothing expired is found', () => {
  const owner = fc.constantFrom<OwnerKey[]>(ANN, BOB)
  const step = fc.oneof(
    fc.record({ kind: fc.constant('remember'), owner, from: fc.nat(5), count: fc.nat(5) }),
    fc.record({ kind: fc.constant('forget'), owner, from: fc.nat(5), count: fc.nat(5) }),
    fc.record({ kind: fc.constant('wait'), owner, from: fc.nat(5), count: fc.nat(40) }),
  )
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { clock, links } = memory()
      const model = new Map<string, number>()
      for (const { kind, owner, from, count } of steps) {
        if (kind === 'remember') {
          links.remember(owner, uris(count, from), FILES)
          for (const uri of uris(count, from)) model.set(`${owner} ${uri}`, clock.now + 30 * MINUTE)
        } else if (kind === 'forget') {
          links.forget(owner)
          for (const key of model.keys()) if (key.startsWith(`${owner} `)) model.delete(key)
        } else clock.now += count * MINUTE
        let alive = 0
        for (const person of [ANN, BOB]) {
          for (const uri of uris(11)) {
            const until = model.get(`${person} ${uri}`) ?? 0
            if (until > clock.now) alive++
            expect(links.find(person, uri)).toBe(until > clock.now ? FILES : undefined)
          }
        }
        expect(links.size).toBeGreaterThanOrEqual(alive)
      }
      links.forget(ANN)
      links.forget(BOB)
      expect(links.size).toBe(0)
    }),
  )
})
