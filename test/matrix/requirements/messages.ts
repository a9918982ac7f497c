import type { Era } from '../../../src/model/backend.ts'
import { ANSWERED } from '../../../src/gateway/face/answering/requests.ts'

interface Message {
  method: string
  /** `client`: from the client to the gateway. */
  from: 'client' | 'gateway'
  /** In the words of each era: how it goes there; absent: it does not exist there. */
  how: Partial<Record<Era, string>>
}

const request = (method: string, eras: readonly Era[], since: string | undefined): Message => ({
  method,
  from: 'client',
  how: Object.fromEntries(
    eras.map((era) => [era, since === undefined || era === 'modern' ? 'request' : `request, from ${since}`]),
  ),
})

const question = (method: string, since: string): Message => ({
  method,
  from: 'gateway',
  how: { legacy: since === '' ? 'request' : `request, from ${since}`, modern: 'in a result that wants input' },
})

const ON_REQUEST = 'on the stream of its request'

/** Every message that crosses a door, in either direction. */
export const MESSAGES: readonly Message[] = [
  ...Object.entries(ANSWERED).map(([method, { eras, since }]) => request(method, eras, since)),
  { method: 'subscriptions/listen', from: 'client', how: { modern: 'request' } },
  { method: 'notifications/initialized', from: 'client', how: { legacy: 'notification' } },
  {
    method: 'notifications/cancelled',
    from: 'client',
    how: { legacy: 'notification', modern: 'notification over stdio; over HTTP the stream is closed' },
  },
  { method: 'notifications/progress', from: 'client', how: { legacy: 'notification' } },
  { method: 'notifications/roots/list_changed', from: 'client', how: { legacy: 'notification' } },
  question('elicitation/create', '2025-06-18'),
  question('sampling/createMessage', ''),
  question('roots/list', ''),
  { method: 'notifications/progress', from: 'gateway', how: { legacy: ON_REQUEST, modern: ON_REQUEST } },
  {
    method: 'notifications/message',
    from: 'gateway',
    how: { legacy: `${ON_REQUEST}, else of the session`, modern: `${ON_REQUEST}, when it has a level` },
  },
  ...['tools', 'prompts', 'resources'].map((list): Message => ({
    method: `notifications/${list}/list_changed`,
    from: 'gateway',
    how: { legacy: 'on the stream of the session', modern: 'on listen streams that asked' },
  })),
  {
    method: 'notifications/resources/updated',
    from: 'gateway',
    how: { legacy: 'to sessions that subscribed', modern: 'on listen streams that asked' },
  },
  { method: 'notifications/elicitation/complete', from: 'gateway', how: { legacy: 'from 2025-11-25' } },
  {
    method: 'notifications/cancelled',
    from: 'gateway',
    how: { legacy: 'for a question that is taken back' },
  },
]
