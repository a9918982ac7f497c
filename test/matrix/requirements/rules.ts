import { elsewhere, type Requirement } from './row.ts'

const carried = (id: string, text: string): Requirement => ({ id: `rule.${id}`, text, status: 'carried' })
const omitted = (id: string, text: string, because: string, section: string): Requirement => ({
  id: `rule.${id}`,
  text,
  status: { because, section },
})

/** The rules that hold in every cell (reference 2.4), and methods that belong to no feature (reference 2.3). */
export const RULES: readonly Requirement[] = [
  carried('1.ids', 'two clients with equal request ids and progress tokens get each their own'),
  carried('2.meta', 'members of _meta that are not of the hop pass in both directions'),
  carried('2.reserved', 'protocol keys and the progress token are those of the hop'),
  carried('3.names', 'a shown name is the native one with the prefix, at most 64 characters of [A-Za-z0-9_-]'),
  carried('4.uris', 'resource URIs are not rewritten, wherever they stand'),
  carried('4.links', 'a resource that was only linked to in a result can be read afterwards'),
  carried('5.cursors', 'a cursor that is not ours is -32602'),
  carried('6.cache', 'lists and resources for modern clients carry ttlMs and cacheScope, for legacy ones neither'),
  carried('7.routed', 'the id of a task is sealed: every replica with the same keys finds its backend'),
  carried('7.foreign', 'an id of a task that is native, changed, of other keys or of the other era is -32602'),
  elsewhere(
    'rule.7.followed',
    'the state of a task is told to who follows it, again after a gap',
    'tasks',
    /^its state is told on a listen stream/,
  ),
  elsewhere(
    'rule.7.asks',
    'a task that turns to its user asks the client that began it, under the id that this client knows',
    'tasks',
    /^a tool runs as a task that asks its user/,
  ),
  carried('8.capabilities', 'a client that declared nothing is never asked anything'),
  carried('9.backend-error', 'an error of the backend arrives with its code, message and data'),
  carried('9.unreachable', 'a backend that cannot be reached is a failed tool for tools/call, -32603 for the rest'),
  carried('11.trace', 'trace keys of _meta reach the backend'),
  carried('12.arguments', 'arguments and results are not validated on the way'),
  carried('completion', 'completion with its context reaches the backend that owns the reference'),
  carried('ping.legacy', 'the gateway answers ping itself, on both legs'),
  carried('ping.modern', 'ping is an unknown method for modern clients'),
  carried('unknown-method', 'an unknown method is -32601, over modern HTTP with status 404'),
  carried('vendor-methods', 'a method that the configuration gives to a backend reaches it'),
  carried(
    'param-headers.mirrored',
    'an argument that a tool marks stands in a header too, towards modern HTTP backends',
  ),
  carried(
    'param-headers.validated',
    'a call over modern HTTP whose headers and arguments differ is -32020, and no backend sees it',
  ),
  carried('param-headers.hidden', 'a tool of a modern backend whose marks cannot be headers is not shown'),
  carried('dual-era', 'a backend that speaks both eras is spoken to in the era of each client'),
  carried('log-default', 'before a legacy client sets a level, lines from info on arrive'),
  carried('batch', 'batches are taken from 2025-03-26 clients, answered as a batch, and from nobody else'),
  omitted(
    'batch-upstream',
    'batches towards backends',
    'every message goes upstream by itself, which each revision allows',
    '2025-03-26: basic, "Batching" (reference 2.5)',
  ),
  omitted(
    'cancel-initialize',
    'cancellation of initialize',
    'a client must not cancel it',
    '2025-11-25: basic/utilities/cancellation',
  ),
  omitted(
    'parked-progress',
    'progress while a call waits for answers',
    'there is no request that it could belong to',
    'reference 2.5, point 1',
  ),
  omitted(
    'bridged-tasks',
    'tasks between a legacy and a modern peer',
    'the two are different protocols; a tool that requires a task is run to its end instead',
    'reference 2.5, point 8',
  ),
]
