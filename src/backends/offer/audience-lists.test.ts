import { expect, test, vi } from 'vitest'
import type { NativeLists } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import type { Listing } from './lists.ts'
import { AudienceLists } from './audience-lists.ts'

const offer = (...names: string[]): NativeLists => ({
  tools: names.map((name) => ({ name })),
  prompts: [],
  resources: [],
  templates: [],
})
const listing = (lists: NativeLists): Listing => ({
  lists,
  hints: { tools: undefined, prompts: undefined, resources: undefined, templates: undefined },
  at: performance.now(),
  leg: { capabilities: {}, hears: false },
})
const caller = (key: string): Caller => ({ ...GATEWAY_CALLER, profile: { key, legacy: {}, modern: {} } })

function scene() {
  const changes: string[] = []
  const server = { answer: async (_key: string): Promise<NativeLists> => offer('a'), asked: 0 }
  const lists = new AudienceLists({
    audienceOf: ({ profile }) => ({ profile: profile.key }),
    fetch: async ({ profile }) => {
      server.asked++
      return listing(await server.answer(profile.key))
    },
    base: () => offer('a'),
    closed: () => undefined,
    onAway: () => {},
    onChange: ({ profile }) => changes.push(profile),
    max: 50,
  })
  return { lists, changes, server }
}

test('the same as for everybody is nothing of their own, and is asked for once', async () => {
  const { lists, changes, server } = scene()
  await Promise.all([lists.prepare(caller('p')), lists.prepare(caller('p'))])
  expect(lists.prepare(caller('p'))).toBeUndefined()
  expect(server.asked).toBe(1)
  expect(lists.get({ profile: 'p' })).toBeUndefined()
  expect(lists.apart).toEqual([])
  expect(changes).toEqual([])
})

test('what differs is kept by profile and told', async () => {
  const { lists, changes, server } = scene()
  server.answer = async (key) => (key === 'p' ? offer('a', 'ask') : offer('a'))
  await lists.prepare(caller('p'))
  await lists.prepare(caller('q'))
  expect(lists.get({ profile: 'p' })).toEqual(offer('a', 'ask'))
  expect(lists.apart).toEqual([{ profile: 'p' }])
  expect(changes).toEqual(['p'])
  lists.invalidate()
  expect(lists.get({ profile: 'p' })).toEqual(offer('a', 'ask'))
  server.answer = async () => offer('a')
  await lists.prepare(caller('p'))
  expect(lists.get({ profile: 'p' })).toBeUndefined()
  expect(changes).toEqual(['p', 'p'])
})

test('a server that fails is asked again by the next list, one that hangs is waited for 2 s', async () => {
  vi.useFakeTimers()
  try {
    const { lists, server } = scene()
    server.answer = async () => Promise.reject(new Error('away'))
    await lists.prepare(caller('p'))
    server.answer = async () => new Promise(() => {})
    const waiting = lists.prepare(caller('p'))
    await vi.advanceTimersByTimeAsync(2000)
    await waiting
    expect(server.asked).toBe(2)
    // It is still under way: nobody waits for it again, nobody asks twice.
    await lists.prepare(caller('p'))
    expect(server.asked).toBe(2)
  } finally {
    vi.useRealTimers()
  }
})

test('profiles without end are not kept', async () => {
  const { lists, server } = scene()
  for (let i = 0; i < 60; i++) await lists.prepare(caller(`p${i}`))
  expect(server.asked).toBe(50)
})

test('what is asked for beside the callers keeps none of them waiting', async () => {
  const { lists, changes, server } = scene()
  await lists.prepare(caller('p'))
  let answer = (_lists: NativeLists): void => {}
  server.answer = () => new Promise((resolve) => (answer = resolve))
  const refreshed = [lists.refresh(caller('p')), lists.refresh(caller('p'))]
  expect(lists.prepare(caller('p'))).toBeUndefined()
  answer(offer('a', 'new'))
  await Promise.all(refreshed)
  expect(server.asked).toBe(2)
  expect(changes).toEqual(['p'])
  server.answer = async () => Promise.reject(new Error('away'))
  await lists.refresh(caller('p'))
  expect(lists.get({ profile: 'p' })).toEqual(offer('a', 'new'))
  expect(lists.prepare(caller('p'))).toBeUndefined()
})

test('a change that is older than what is known asks nobody again', async () => {
  const { lists, server } = scene()
  const before = performance.now() - 1
  await lists.prepare(caller('p'))
  lists.invalidate(before)
  expect(lists.prepare(caller('p'))).toBeUndefined()
  lists.invalidate(performance.now() + 1)
  await lists.prepare(caller('p'))
  expect(server.asked).toBe(2)
})
