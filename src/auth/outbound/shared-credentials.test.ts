import { expect, test, vi } from 'vitest'
import type { Credential } from '../../model/credential.ts'
import { backendId } from '../../model/ids.ts'
import { createListeners } from './authorization/listeners.ts'
import { createSharedCredentials, type ShownSpec } from './shared-credentials.ts'

const URL = 'https://mail.example/mcp'
const spec = (scope: string, id = 'mail'): ShownSpec => ({
  id: backendId(id),
  endpoint: { kind: 'http', url: URL, headers: {} },
  era: 'auto',
  credential: { kind: 'authorization_code', scopes: [scope] },
  disabled: false,
  origin: 'static',
})

function bench() {
  const listeners = createListeners<[string | undefined]>()
  const close = vi.fn<() => void>()
  const unused = vi.fn<(id: string) => void>()
  const create = vi.fn<() => Credential>(() => ({
    perCaller: false,
    headers: () => [],
    refused: async () => false,
    subscribe: listeners.add,
    close,
  }))
  return { shared: createSharedCredentials(create, unused), listeners, close, create, unused }
}

test('equal specs share one, until the last user has closed his', () => {
  const { shared, close, create, unused } = bench()
  const [one, other] = [shared.use(spec('a'), URL), shared.use(structuredClone(spec('a')), URL)]
  expect(create).toHaveBeenCalledTimes(1)
  one.close()
  one.close()
  expect(close).not.toHaveBeenCalled()
  expect(shared.specOf('mail')).toEqual(spec('a'))
  other.close()
  expect(close).toHaveBeenCalledTimes(1)
  expect(unused.mock.calls).toEqual([['mail']])
  expect(shared.specOf('mail')).toBeUndefined()
  shared.use(spec('a'), URL)
  expect(create).toHaveBeenCalledTimes(2)
})

test('another spec is another credential, and the last counts', () => {
  const { shared, create, unused } = bench()
  const one = shared.use(spec('a'), URL)
  shared.use(spec('b'), URL)
  expect(create).toHaveBeenCalledTimes(2)
  expect(shared.specOf('mail')).toEqual(spec('b'))
  one.close()
  expect(unused).not.toHaveBeenCalled()
})

test('who has closed his hears nothing any more, the others do', () => {
  const { shared, listeners } = bench()
  const [one, other] = [shared.use(spec('a'), URL), shared.use(spec('a'), URL)]
  const told: string[] = []
  one.subscribe(() => told.push('one'))
  other.subscribe(() => told.push('other'))
  const leave = other.subscribe(() => told.push('left'))
  leave()
  listeners.call(undefined)
  one.close()
  listeners.call(undefined)
  expect(told).toEqual(['one', 'other', 'other'])
})

test('closing all closes what is in use, once', () => {
  const { shared, close } = bench()
  shared.use(spec('a'), URL)
  shared.use(spec('b'), URL)
  shared.close()
  expect(close).toHaveBeenCalledTimes(2)
})
