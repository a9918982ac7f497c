import { expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../model/json.ts'
import { Followed } from './followed.ts'

type Listener = (update: JsonObject) => void

function scene() {
  const listeners = new Map<string, Listener>()
  const ended: string[] = []
  const told: JsonObject[] = []
  const state = { reachable: true }
  const follow = vi.fn(async (uri: string, listener: Listener) => {
    if (uri.startsWith('bad:')) throw new Error('refused')
    listeners.set(uri, listener)
    return () => void ended.push(uri)
  })
  const followed = new Followed(follow, (update) => {
    if (state.reachable) told.push(update)
    return state.reachable
  })
  return { follow, followed, listeners, ended, told, state }
}

test('a resource is followed once, however often it is asked for, and left once', async () => {
  const { follow, followed, ended } = scene()
  await Promise.all([followed.add('a:1'), followed.add('a:1')])
  await followed.add('a:1')
  expect(follow).toHaveBeenCalledTimes(1)
  followed.remove('a:1')
  followed.remove('a:1')
  followed.remove('a:2')
  await vi.waitFor(() => expect(ended).toEqual(['a:1']))
})

test('one that was left before it stood is left when it stands', async () => {
  const { followed, ended } = scene()
  const adding = followed.add('a:1')
  followed.remove('a:1')
  await adding
  await vi.waitFor(() => expect(ended).toEqual(['a:1']))
})

test('a refusal leaves no trace', async () => {
  const { follow, followed } = scene()
  await expect(followed.add('bad:1')).rejects.toThrow('refused')
  await expect(followed.add('bad:1')).rejects.toThrow('refused')
  expect(follow).toHaveBeenCalledTimes(2)
})

test('what could not be told is told once, later, and not after the end', async () => {
  const { followed, listeners, told, state } = scene()
  await followed.add('a:1')
  await followed.add('a:2')
  state.reachable = false
  for (let each = 0; each < 5; each++) {
    listeners.get('a:1')?.({ uri: 'a:1/below' })
    listeners.get('a:2')?.({ uri: 'a:2' })
  }
  followed.flush()
  followed.remove('a:2')
  state.reachable = true
  followed.flush()
  followed.flush()
  expect(told).toEqual([{ uri: 'a:1' }])
})

test('one change that concerns two of them is told once', async () => {
  const { followed, listeners, told } = scene()
  await followed.add('a:/x')
  await followed.add('a:/x/y')
  const update = { uri: 'a:/x/y' }
  for (const listener of listeners.values()) listener(update)
  expect(told).toEqual([update])
})

test('nobody follows without bound', async () => {
  const { followed } = scene()
  for (let each = 0; each < 1000; each++) await followed.add(`a:${each}`)
  await followed.add('a:0')
  await expect(followed.add('a:1000')).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
  followed.clear()
  await followed.add('a:1000')
})
