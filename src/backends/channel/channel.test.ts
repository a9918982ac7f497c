import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Ask, Notification } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import { legContext } from '../../../test/support/legs.ts'
import { Channel } from './channel.ts'
import { ChannelLeg } from './channel-leg.ts'
import type { UpstreamRequest } from '../leg.ts'
import { SessionLost, ownRequest } from '../leg.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

type Sent = JsonObject & { id?: JsonValue; method?: string; params?: JsonObject }

/** A channel whose server is the test. */
function scene({
  client,
  oneClient = client !== undefined,
  nobodyIsAsked = false,
}: { client?: Ask; oneClient?: boolean; nobodyIsAsked?: boolean } = {}) {
  const sent: Sent[] = []
  let fails: Error | undefined
  let unread = 0
  const { context: given, told } = legContext(client)
  const context = { ...given, oneClient: () => oneClient, ...(nobodyIsAsked && { profile: NO_PROFILE }) }
  const channel = new Channel(context, {
    ended: false,
    get unread() {
      return unread
    },
    write: (text, done) => {
      if (!fails) sent.push(JSON.parse(text) as Sent)
      done?.(fails)
    },
    fault: (error, repeatable) => (repeatable ? new SessionLost() : error),
    close: async () => channel.fail(new GatewayError('BACKEND_UNREACHABLE', 'closed')),
  })
  const say = (message: JsonObject): boolean => channel.read(JSON.stringify({ jsonrpc: '2.0', ...message }))
  return {
    channel,
    context,
    sent,
    told,
    lost: told.lost,
    say,
    of: (method: string) => sent.filter((message) => message.method === method),
    /** Answers to the server's questions. */
    replies: () => sent.filter(({ method }) => method === undefined),
    break: (error: Error) => (fails = error),
    leave: (bytes: number) => (unread = bytes),
  }
}

const DONE: JsonObject = { content: [] }

/** Starts a call of a caller that answers questions with its own name, or is `slow` to; `end` answers it. */
function start({ channel, sent, say }: ReturnType<typeof scene>, name: string, slow = false) {
  const asked: string[] = []
  const heard: Notification[] = []
  const signal = new Cancellation()
  const ask: Ask = async ({ method }) => {
    asked.push(method)
    if (slow) await new Promise(() => {})
    return { roots: [{ uri: `file:///${name}` }] }
  }
  const scope: UpstreamRequest = {
    ...ownRequest('tools/call', {}, signal),
    ask,
    onNotification: (notification) => heard.push(notification),
  }
  const reply = channel.request({ method: 'tools/call', params: () => ({ name }), signal, scope })
  reply.catch(() => {})
  const id = sent.at(-1)?.id as number
  return { asked, heard, signal, reply, id, end: () => say({ id, result: DONE }) }
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

describe('the only call there is', () => {
  test('is asked, and hears log lines', async () => {
    const at = scene()
    const call = start(at, 'a')
    at.say({ id: 1, method: 'roots/list' })
    at.say({ method: 'notifications/message', params: { level: 'info', data: 'x' } })
    await settle()
    expect([call.asked, call.heard.length]).toEqual([['roots/list'], 1])
    expect(at.replies()).toEqual([{ jsonrpc: '2.0', id: 1, result: { roots: [{ uri: 'file:///a' }] } }])
  })

  test('answers of the server that are late, double or meant for nobody are dropped', async () => {
    const at = scene()
    const call = start(at, 'a')
    call.end()
    call.end()
    at.say({ id: 'x', result: {} })
    at.say({ id: null, error: { code: 1, message: '' } })
    at.say({ method: 'notifications/progress', params: { progressToken: call.id, progress: 1 } })
    expect(await call.reply).toMatchObject({ kind: 'response', result: DONE })
    expect([call.heard, at.lost]).toEqual([[], []])
  })
})

describe('several calls of strangers', () => {
  test('nobody is asked', async () => {
    const at = scene()
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    at.say({ id: 1, method: 'roots/list' })
    one.end()
    await vi.advanceTimersByTimeAsync(5000)
    expect([one.asked, two.asked]).toEqual([[], []])
    expect(at.replies()).toMatchObject([{ id: 1, error: { code: -32601 } }])
  })

  test('nor in the place of a call that was given up, for ten seconds', async () => {
    const at = scene()
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    one.signal.cancel(new GatewayError('CANCELLED', 'gone'))
    at.say({ id: 1, method: 'roots/list' })
    await vi.advanceTimersByTimeAsync(10_001)
    expect(two.asked).toEqual([])
    at.say({ id: 2, method: 'roots/list' })
    await settle()
    expect(two.asked).toEqual(['roots/list'])
  })

  test('a call that has long waited for an answer has not asked the next question', async () => {
    const at = scene()
    const one = start(at, 'a', true)
    at.say({ id: 1, method: 'roots/list' })
    await vi.advanceTimersByTimeAsync(500)
    const two = start(at, 'b')
    at.say({ id: 2, method: 'roots/list' })
    await vi.advanceTimersByTimeAsync(501)
    at.say({ id: 3, method: 'roots/list' })
    await settle()
    expect([one.asked, two.asked]).toEqual([['roots/list'], ['roots/list']])
    expect(at.replies()).toMatchObject([
      { id: 2, error: { code: -32601 } },
      { id: 3, result: {} },
    ])
  })
})

describe('several calls of one client that says nothing of itself', () => {
  test('a question waits until only one call is left', async () => {
    const at = scene({ oneClient: true })
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    at.say({ id: 1, method: 'roots/list' })
    at.say({ id: 1, method: 'roots/list' })
    await vi.advanceTimersByTimeAsync(250)
    expect([one.asked, two.asked, at.replies()]).toEqual([[], [], []])
    one.end()
    await settle()
    expect([one.asked, two.asked]).toEqual([[], ['roots/list']])
    expect(at.replies()).toEqual([{ jsonrpc: '2.0', id: 1, result: { roots: [{ uri: 'file:///b' }] } }])
  })

  test('a call that begins after the question has not asked it', async () => {
    const at = scene({ oneClient: true })
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    at.say({ id: 1, method: 'roots/list' })
    const late = start(at, 'c')
    two.end()
    await settle()
    expect([one.asked, late.asked]).toEqual([['roots/list'], []])
  })

  test('as many questions as calls: each call is asked one', async () => {
    const at = scene({ oneClient: true })
    const calls = [start(at, 'a', true), start(at, 'b', true), start(at, 'c', true)]
    for (const id of [1, 2, 3]) at.say({ id, method: 'roots/list' })
    await vi.advanceTimersByTimeAsync(300)
    expect(calls.map(({ asked }) => asked.length)).toEqual([1, 1, 1])
  })

  test('a question that the server takes back is asked of nobody', async () => {
    const at = scene({ oneClient: true })
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    at.say({ id: 1, method: 'roots/list' })
    at.say({ method: 'notifications/cancelled', params: { requestId: 1 } })
    one.end()
    await vi.advanceTimersByTimeAsync(6000)
    expect([two.asked, at.replies()]).toEqual([[], []])
  })

  test('what nobody may be asked is refused at once, and a ping answered', async () => {
    const at = scene({ oneClient: true, nobodyIsAsked: true })
    start(at, 'a')
    start(at, 'b')
    at.say({ id: 1, method: 'roots/list' })
    at.say({ id: 2, method: 'ping' })
    await settle()
    expect(at.replies()).toMatchObject([
      { id: 2, result: {} },
      { id: 1, error: { code: -32601 } },
    ])
  })
})

test('on the wire of one client the latest call is asked, whichever it was', async () => {
  const asked: string[] = []
  const client: Ask = async ({ method }) => {
    asked.push(method)
    return { roots: [] }
  }
  const at = scene({ client })
  at.say({ id: 1, method: 'roots/list' })
  await settle()
  const [one, two] = [start(at, 'a'), start(at, 'b')]
  at.say({ id: 2, method: 'roots/list' })
  await settle()
  expect([asked, one.asked, two.asked]).toEqual([['roots/list'], [], ['roots/list']])
})

test('a batch is taken apart; lines that hold no message are told from others', () => {
  const at = scene()
  expect(at.channel.read('[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]')).toBe(
    true,
  )
  expect(at.replies().map(({ id }) => id)).toEqual([1, 2])
  expect([at.channel.read('{"level":"info"}'), at.channel.read('[1]')]).toEqual([false, false])
  expect(() => at.channel.read('[info] started')).toThrow('not valid JSON')
})

describe('the end', () => {
  test('fails every request, ends every question and is told once', async () => {
    const at = scene()
    const [one, two] = [start(at, 'a'), start(at, 'b')]
    at.say({ id: 1, method: 'roots/list' })
    at.channel.fail(new GatewayError('BACKEND_UNREACHABLE', 'it is gone'))
    at.channel.fail(new Error('again'))
    await expect(one.reply).rejects.toThrow('it is gone')
    await expect(two.reply).rejects.toThrow('it is gone')
    await vi.advanceTimersByTimeAsync(10_000)
    expect([at.replies(), at.lost]).toEqual([[], ['it is gone']])
    await expect(at.channel.request({ method: 'ping', params: () => ({}) })).rejects.toThrow('it is gone')
  })

  test('one that was asked for is no loss', async () => {
    const at = scene()
    await at.channel.close()
    expect(at.lost).toEqual([])
  })

  test('a request that the server did not live to read may be repeated elsewhere when it says so', async () => {
    const at = scene()
    at.break(new Error('EPIPE'))
    const request = { method: 'tools/call', params: () => ({}) }
    await expect(at.channel.request({ ...request, repeatable: true })).rejects.toBeInstanceOf(SessionLost)
    await expect(at.channel.request(request)).rejects.toThrow('EPIPE')
  })
})

describe('what a modern leg listens to', () => {
  async function modern() {
    const at = scene()
    const opening = ChannelLeg.discover(at.channel, at.context, new Cancellation())
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } }
    at.say({ id: at.sent[0]?.id ?? null, result: { supportedVersions: ['2026-07-28'], capabilities } })
    const leg = await opening
    const acknowledge = (index: number): void => {
      const id = at.of('subscriptions/listen')[index]?.id ?? null
      const _meta = { 'io.modelcontextprotocol/subscriptionId': id }
      at.say({ method: 'notifications/subscriptions/acknowledged', params: { notifications: {}, _meta } })
    }
    const filters = (): unknown[] => at.of('subscriptions/listen').map(({ params }) => params?.['notifications'])
    return { at, leg, acknowledge, filters }
  }

  test('a new set is listened to before the old one is let go', async () => {
    const { at, leg, acknowledge, filters } = await modern()
    const first = leg.listen([])
    acknowledge(0)
    await first
    const second = leg.listen(['b://b', 'a://a'])
    expect(at.of('notifications/cancelled')).toEqual([])
    acknowledge(1)
    await second
    const [old] = at.of('subscriptions/listen')
    expect(at.of('notifications/cancelled').map(({ params }) => params?.['requestId'])).toEqual([old?.id])
    expect(leg.listen(['a://a', 'b://b'])).toBeUndefined()
    expect(filters()).toEqual([
      { toolsListChanged: true },
      { toolsListChanged: true, resourceSubscriptions: ['a://a', 'b://b'] },
    ])
  })

  describe('that the server ends', () => {
    const answered = (at: ReturnType<typeof scene>, id: JsonValue): unknown => at.say({ id, result: {} })
    const cancelled = (at: ReturnType<typeof scene>, requestId: JsonValue): unknown =>
      at.say({ method: 'notifications/cancelled', params: { requestId } })

    test.each([
      ['with its result', answered],
      ['with a cancellation', cancelled],
    ])('%s is asked for again, and changes may have been missed', async (_how, end) => {
      const { at, leg, acknowledge, filters } = await modern()
      void leg.listen(['a://a'])
      acknowledge(0)
      end(at, at.of('subscriptions/listen')[0]?.id ?? null)
      await vi.advanceTimersByTimeAsync(499)
      expect(filters()).toHaveLength(1)
      await vi.advanceTimersByTimeAsync(1)
      expect(filters()[1]).toEqual(filters()[0])
      expect(at.told).toMatchObject({ lists: 0, gaps: 0 })
      acknowledge(1)
      expect(at.told).toMatchObject({ lists: 1, gaps: 1 })
    })

    test('again and again is asked for ever more slowly', async () => {
      const { at, leg, acknowledge, filters } = await modern()
      void leg.listen([])
      for (let round = 0; round < 4; round++) {
        acknowledge(round)
        answered(at, at.of('subscriptions/listen')[round]?.id ?? null)
        await vi.advanceTimersByTimeAsync(500 * 2 ** round - 1)
        expect(filters()).toHaveLength(round + 1)
        await vi.advanceTimersByTimeAsync(1)
        expect(filters()).toHaveLength(round + 2)
      }
    })

    test('and then refuses is left alone', async () => {
      const { at, leg, acknowledge, filters } = await modern()
      void leg.listen([])
      acknowledge(0)
      answered(at, at.of('subscriptions/listen')[0]?.id ?? null)
      await vi.advanceTimersByTimeAsync(500)
      at.say({ id: at.of('subscriptions/listen')[1]?.id ?? null, error: { code: -32603, message: 'no' } })
      await vi.advanceTimersByTimeAsync(60_000)
      expect(filters()).toHaveLength(2)
      expect(at.told.gaps).toBe(1)
    })

    test('is not asked for again on a connection that is closed', async () => {
      const { at, leg, acknowledge, filters } = await modern()
      void leg.listen([])
      acknowledge(0)
      answered(at, at.of('subscriptions/listen')[0]?.id ?? null)
      await leg.close()
      await vi.advanceTimersByTimeAsync(60_000)
      expect(filters()).toHaveLength(1)
    })
  })

  test('a set that the server refuses leaves the old one in its place', async () => {
    const { at, leg, acknowledge } = await modern()
    void leg.listen([])
    acknowledge(0)
    const second = leg.listen(['a://a'])
    at.say({ id: at.of('subscriptions/listen')[1]?.id ?? null, error: { code: -32602, message: 'no' } })
    await second
    expect(at.of('notifications/cancelled')).toEqual([])
  })
})

test('a server that answers nothing is not given more than it can be asked', async () => {
  const at = scene()
  const params = (): JsonObject => ({})
  for (let count = 0; count < 10_000; count++) at.channel.request({ method: 'tools/call', params }).catch(() => {})
  await expect(at.channel.request({ method: 'tools/call', params })).rejects.toMatchObject({ code: 'BACKEND_BUSY' })
  at.say({ id: at.sent[0]?.id ?? null, result: {} })
  at.channel.request({ method: 'tools/call', params }).catch(() => {})
  expect(at.sent).toHaveLength(10_001)
})

test('a server that does not read is not written to without end', async () => {
  const at = scene()
  const params = (): JsonObject => ({})
  at.leave(65 * 1024 * 1024)
  await expect(at.channel.request({ method: 'tools/call', params })).rejects.toMatchObject({ code: 'BACKEND_BUSY' })
  expect(at.sent).toEqual([])
})
