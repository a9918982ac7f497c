import { expect, test } from 'vitest'
import { createMemoryStore } from './memory-store.ts'
import { clientKey, EMPTY, type State, type StoredClient, withClient, withoutClient } from './store.ts'

const client = (id: string): StoredClient => ({ id, origin: 'registered' })

test('clients of old addresses give way', () => {
  let state: State = EMPTY
  for (let port = 1; port <= 501; port++) {
    state = withClient(state, clientKey('https://as.example', `http://127.0.0.1:${port}`), client(`client-${port}`))
  }
  const ids = Object.values(state.clients).map(({ id }) => id)
  expect([ids.length, ids[0], ids.at(-1)]).toEqual([500, 'client-2', 'client-501'])
})

test('a client is forgotten at the server that has forgotten it, wherever its pages stand', () => {
  const keys = [
    clientKey('https://one.example', 'https://a/'),
    clientKey('https://one.example', 'https://b/'),
    clientKey('https://two.example', 'https://a/'),
  ]
  const state = keys.reduce((state, key) => withClient(state, key, client('x')), EMPTY)
  expect(Object.keys(withoutClient(state, 'https://one.example', 'x').clients)).toEqual(keys.slice(2))
  expect(Object.keys(withoutClient(state, 'https://one.example', 'y').clients)).toEqual(keys)
})

test('listeners hear of changes only, until they leave', async () => {
  const store = createMemoryStore()
  const heard: State[] = []
  const leave = store.subscribe((state) => heard.push(state))
  await store.update((state) => state)
  await store.update((state) => withClient(state, 'k', client('x')))
  expect(heard).toEqual([await store.read()])
  leave()
  await store.update(() => EMPTY)
  expect(heard).toHaveLength(1)
})

test('work under one name is done one after another, whatever comes of it', async () => {
  const store = createMemoryStore()
  const order: string[] = []
  const work = (name: string, ms: number) => async () => {
    await new Promise((done) => setTimeout(done, ms))
    order.push(name)
    if (name === 'a') throw new Error(name)
    return name
  }
  const all = [
    store.exclusively('x', work('a', 20)),
    store.exclusively('x', work('b', 1)),
    store.exclusively('y', work('c', 5)),
  ]
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  expect(order).toEqual(['c', 'a', 'b'])
})
