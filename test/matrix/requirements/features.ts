import type { Era } from '../../../src/model/backend.ts'
import type { Status, Wire } from './row.ts'

/** One leg: what speaks on it. */
export interface LegKind {
  era: Era
  wire: Wire
}

interface Feature {
  name: string
  title: string
  /** What a test of it sees on the two ends. */
  text: string
  /** Combinations that a revision rules out, first match counts. */
  except?: readonly { client?: Era; backend?: Era; because: string; section: string }[]
}

const NO_URL_ERROR = '2026-07-28: -32042 must not be emitted (reference 1.2, "Errors")'

const LEGACY_ONLY = {
  because: 'core tasks are of 2025-11-25 only; a tool that requires one is run to its end for everybody else',
  section: '2026-07-28: tasks moved to an extension (reference 2.5, point 8)',
}
const MODERN_ONLY = {
  because: 'the extension is of 2026-07-28 only, and the two kinds of tasks are not translated',
  section: '2026-07-28: tasks moved to an extension (reference 2.5, point 8)',
}

/** Whatever crosses between client and backend. */
export const FEATURES = [
  {
    name: 'tools',
    title: 'Tools',
    text: 'the tools are listed under their shown names, and called with the arguments as they were sent',
  },
  {
    name: 'resources',
    title: 'Resources and templates',
    text: 'both are listed, and what they lead to is read, under the URIs of the backend',
  },
  {
    name: 'prompts',
    title: 'Prompts',
    text: 'the prompts are listed under their shown names, and got with the arguments as they were sent',
  },
  {
    name: 'completion',
    title: 'Completion',
    text: 'the backend that owns the prompt or template is asked, with the context, and its values arrive',
  },
  {
    name: 'elicitation-form',
    title: 'Elicitation, form mode',
    text: 'the user is asked with the schema that the backend wrote, and the backend gets the content that the user gave',
  },
  {
    name: 'elicitation-decline',
    title: 'Elicitation, declined and cancelled',
    text: 'a user who declines or cancels is no error: the backend gets that action',
  },
  {
    name: 'elicitation-url',
    title: 'Elicitation, URL mode',
    text: 'the user is shown the link of the backend, and the backend gets the consent',
  },
  {
    name: 'elicitation-required',
    title: 'URL elicitation required (-32042)',
    text: 'a call that first needs a link to be visited says so in the words of the client, and succeeds when it is repeated',
    except: [{ backend: 'modern', because: 'a modern backend has no such error', section: NO_URL_ERROR }],
  },
  {
    name: 'sampling',
    title: 'Sampling with tools',
    text: 'the model of the client is asked with messages, limits and tools, and the backend gets its tool use',
  },
  { name: 'roots', title: 'Roots', text: 'the backend gets the roots of this client' },
  {
    name: 'roots-changed',
    title: 'Roots list changed',
    text: 'the backend hears that the roots of its client have changed',
    except: [
      {
        client: 'modern',
        because: 'modern clients have no such notification',
        section: '2026-07-28: notifications/roots/list_changed removed (reference 1.2, "Removed methods")',
      },
      {
        backend: 'modern',
        because: 'modern servers have no such notification; they ask for the roots with each call',
        section: '2026-07-28: notifications/roots/list_changed removed (reference 2.3)',
      },
    ],
  },
  {
    name: 'progress',
    title: 'Progress',
    text: 'progress arrives in order, under the token of the caller, before the result; a caller without a token gets none',
  },
  {
    name: 'logging',
    title: 'Logging, level per request',
    text: 'lines from the level of the request on arrive, signed by their backend; a request without a level gets none',
    except: [
      {
        client: 'legacy',
        because: 'legacy clients set a level for their session',
        section: '2025-11-25: server/utilities/logging (reference 2.5, point 6)',
      },
    ],
  },
  {
    name: 'logging-session',
    title: 'Logging, level per session',
    text: 'after logging/setLevel lines from that level on arrive, signed by their backend; before, those from info on',
    except: [
      {
        client: 'modern',
        because: 'modern clients say their level with each request',
        section: '2026-07-28: logging/setLevel removed (reference 1.2, "Removed methods")',
      },
    ],
  },
  {
    name: 'cancellation',
    title: 'Cancellation by the client',
    text: 'a call that the client cancels ends at the backend, and only that one',
  },
  {
    name: 'subscription',
    title: 'Resource subscriptions',
    text: 'a change of a resource that was subscribed to is heard, of another one not, and after unsubscribing none',
  },
  {
    name: 'list-changed',
    title: 'List changes',
    text: 'a change of the tools of the backend is heard, and the next list has it',
  },
  {
    name: 'core-tasks',
    title: 'Tasks of 2025-11-25',
    text: 'a tool runs as a task that its client polls, lists, fetches the result of and cancels, under an id that is not the native one',
    except: [
      { client: 'modern', ...LEGACY_ONLY },
      { backend: 'modern', ...LEGACY_ONLY },
    ],
  },
  {
    name: 'tasks-extension',
    title: 'Tasks extension',
    text: 'a call that is answered with a task is polled, given the input that it wants, and cancelled, under an id that is not the native one',
    except: [
      { client: 'legacy', ...MODERN_ONLY },
      { backend: 'legacy', ...MODERN_ONLY },
    ],
  },
  {
    name: 'skills',
    title: 'Skills',
    text: 'the skills of the backend are in the list of all, and each is got from its owner',
  },
  {
    name: 'vendor-methods',
    title: 'Methods of vendors',
    text: 'a method that the configuration gives to this backend reaches it, and its result comes back as it is',
  },
] as const satisfies readonly Feature[]

export type FeatureName = (typeof FEATURES)[number]['name']

/** `undefined`: this feature can cross here. */
export function ruledOut(feature: Feature, client: LegKind, backend: LegKind): Exclude<Status, 'carried'> | undefined {
  for (const [leg, { era, wire }] of Object.entries({ client, backend })) {
    if (wire !== 'sse' || era === 'legacy') continue
    return {
      because: `HTTP+SSE carries legacy revisions only, and this ${leg} is modern`,
      section:
        '2024-11-05: basic/transports, "HTTP with SSE"; 2026-07-28 knows stdio and streamable HTTP (reference 2.1)',
    }
  }
  const row = feature.except?.find(
    (exception) =>
      (exception.client ?? client.era) === client.era && (exception.backend ?? backend.era) === backend.era,
  )
  return row && { because: row.because, section: row.section }
}
