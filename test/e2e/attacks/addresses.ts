import type { RefusalReason } from '../../../src/auth/net/guarded-fetch.ts'

/** What an issuer says about itself leads somewhere: where to, and why nobody goes there. */
export interface AddressAttack {
  name: string
  /** An address, as the discovery document has it. `CANARY` and `TRAP` stand for ports of this machine. */
  leads: string
  /** Of what; absent: of the key set. Of the discovery document itself the issuer's name is the address. */
  of?: 'introspection' | 'discovery'
  /** What the name resolves to, by the resolver of the test; further answers are those of later questions. */
  resolves?: readonly (readonly string[])[]
  /** Plain http and addresses of this machine are allowed, as in a development setup. */
  development?: true
  why: RefusalReason
  withinMs?: number
}

const literal = (host: string): AddressAttack => ({
  name: `the address ${host}`,
  leads: `https://${host}/keys`,
  why: 'address',
})

const LITERALS = [
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[fd00:ec2::254]',
  '100.100.100.200',
  '168.63.129.16',
  '127.0.0.1:CANARY',
  '[::1]:CANARY',
  '[::ffff:127.0.0.1]:CANARY',
  '[::ffff:7f00:1]:CANARY',
  '[::127.0.0.1]:CANARY',
  '[64:ff9b::7f00:1]:CANARY',
  '[2002:7f00:1::]:CANARY',
  '0.0.0.0:CANARY',
  '0:CANARY',
  '[::]:CANARY',
  '2130706433:CANARY',
  '0x7f000001:CANARY',
  '0x7f.1:CANARY',
  '017700000001:CANARY',
  '0177.0.0.1:CANARY',
  '127.1:CANARY',
  '127.0.0.1.:CANARY',
  '\uff11\uff12\uff17.0.0.1:CANARY',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '100.64.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[fe80::1]',
  '[fc00::1]',
  '[ff02::1]',
]

const named = (
  name: string,
  resolves: AddressAttack['resolves'] & object,
  why: RefusalReason = 'address',
): AddressAttack => ({
  name,
  leads: 'https://issuer.example:CANARY/keys',
  resolves,
  why,
})

const trap = (path: string, why: RefusalReason, more: Partial<AddressAttack> = {}): AddressAttack => ({
  name: `a server that ${path}`,
  leads: `http://127.0.0.1:TRAP/${path.replaceAll(' ', '-')}`,
  development: true,
  why,
  ...more,
})

export const ADDRESSES: readonly AddressAttack[] = [
  ...LITERALS.map(literal),
  named('a name of this machine', [['127.0.0.1']]),
  named('a name of this machine in the new family', [['::1']]),
  named('a name of the metadata service', [['169.254.169.254']]),
  named('a name in a private network', [['10.1.2.3', '192.168.1.1', 'fd12::1']]),
  named('a name of nothing', [[]], 'unreachable'),
  named('a name of no address', [['not an address']]),
  named('a name of two addresses, none of them public', [['192.0.2.1', '127.0.0.1']]),
  { name: 'localhost', leads: 'https://localhost:CANARY/keys', resolves: [['127.0.0.1']], why: 'address' },
  { name: 'metadata, even in development', leads: 'http://169.254.169.254/keys', development: true, why: 'address' },
  {
    name: 'metadata by name, even in development',
    leads: 'http://metadata.example/keys',
    resolves: [['169.254.169.254']],
    development: true,
    why: 'address',
  },
  {
    name: 'an unspecified address, even in development',
    leads: 'http://0.0.0.0:CANARY/keys',
    development: true,
    why: 'address',
  },
  { name: 'a file', leads: 'file:///etc/passwd', why: 'url' },
  { name: 'data', leads: 'data:application/json,{"keys":[]}', why: 'url' },
  { name: 'gopher', leads: 'gopher://127.0.0.1:CANARY/_GET', why: 'url' },
  { name: 'plain http', leads: 'http://127.0.0.1:CANARY/keys', why: 'url' },
  { name: 'credentials', leads: 'https://user:pass@issuer.example/keys', why: 'url' },
  { name: 'no address', leads: 'keys.json', why: 'url' },
  ...(['introspection', 'discovery'] as const).flatMap((of): AddressAttack[] => [
    { name: `the metadata service, of ${of}`, of, leads: 'https://169.254.169.254/x', why: 'address' },
    { name: `this machine, of ${of}`, of, leads: 'https://127.0.0.1:CANARY/x', why: 'address' },
    { name: `this machine by name, of ${of}`, of, leads: 'https://x.example/x', resolves: [['::1']], why: 'address' },
    { name: `this machine as a number, of ${of}`, of, leads: 'https://2130706433:CANARY/x', why: 'address' },
    { name: `plain http, of ${of}`, of, leads: 'http://x.example/x', why: 'url' },
    trap('redirects to the canary', 'redirect', { name: `a redirection to the canary, of ${of}`, of }),
    trap('sends without end', 'size', { name: `an answer without end, of ${of}`, of }),
  ]),
  trap('redirects to metadata', 'redirect'),
  trap('redirects to the canary', 'redirect'),
  trap('redirects without end', 'redirect'),
  trap('redirects to a file', 'redirect'),
  trap('sends without end', 'size', { withinMs: 3000 }),
  trap('announces too much', 'size'),
  trap('compresses', 'answer'),
  trap('sends a page', 'answer'),
  trap('fails', 'answer'),
  trap('hangs up', 'unreachable'),
  trap('sends drop by drop', 'timeout', { withinMs: 6000 }),
  trap('says nothing', 'timeout', { withinMs: 6000 }),
]
