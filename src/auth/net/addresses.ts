import { BlockList, isIP } from 'node:net'

/**
 * What an IP address leads to. `forbidden`: nowhere that a server of ours has business with, whatever the
 * configuration says: link-local, cloud metadata, multicast, documentation, tunnels whose end is not visible.
 */
export type AddressClass = 'public' | 'private' | 'loopback' | 'forbidden'

/** The first class that lists an address counts: metadata services stand inside private ranges. */
const RANGES: readonly (readonly [AddressClass, readonly string[]])[] = [
  [
    'forbidden',
    [
      // Metadata services: Alibaba, Azure, Oracle (192.0.0.192), AWS and Google over IPv6.
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.0/24',
      'fd00:ec2::254/128',
      'fd20:ce::254/128',
      '0.0.0.0/8',
      '169.254.0.0/16',
      '192.0.2.0/24',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '224.0.0.0/4',
      '240.0.0.0/4',
      '::/128',
      'fe80::/10',
      'fec0::/10',
      'ff00::/8',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
      '64:ff9b:1::/48',
    ],
  ],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15', 'fc00::/7']],
  ['public', ['0.0.0.0/0', '2000::/3']],
]

const LISTS = RANGES.map(([kind, ranges]) => {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/')
    list.addSubnet(network, Number(bits), family(network))
  }
  return { kind, list }
})

/** The class of an address in text form. What is no address is `forbidden`. */
export function classifyAddress(address: string): AddressClass {
  if (isIP(address) === 0 || address.includes('%')) return 'forbidden'
  const inner = family(address) === 'ipv6' ? embedded(address) : undefined
  // An address that carries another one is as dangerous as the one that it carries.
  if (inner !== undefined) return classifyAddress(inner)
  return LISTS.find(({ list }) => list.check(address, family(address)))?.kind ?? 'forbidden'
}

function family(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}

/** The IPv4 address inside a mapped (::ffff:0:0/96), translated (64:ff9b::/96) or 6to4 (2002::/16) address. */
function embedded(address: string): string | undefined {
  const words = ipv6Words(address)
  const prefix = words
    .slice(0, 6)
    .map((word) => word.toString(16))
    .join(':')
  if (prefix === '0:0:0:0:0:ffff' || prefix === '64:ff9b:0:0:0:0') return dotted(words[6], words[7])
  return words[0] === 0x2002 ? dotted(words[1], words[2]) : undefined
}

const dotted = (high = 0, low = 0): string => [high >> 8, high & 255, low >> 8, low & 255].join('.')

function ipv6Words(address: string): number[] {
  // The parser of URLs writes every form (dotted tails too) as hexadecimal words.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const before = words(head)
  if (tail === undefined) return before
  const after = words(tail)
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}
