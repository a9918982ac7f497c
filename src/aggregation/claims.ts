import type { Catalogue, Conflict, Entry } from '../model/catalogue.ts'
import type { BackendId } from '../model/ids.ts'
import type { Contribution } from './contribution.ts'
import { KINDS, type Kind as Row } from './kinds.ts'
import { guardName } from './names.ts'

/**
 * Shown names that are settled, and what they lead to, keyed by kind and name: while the configuration is unchanged a name never
 * moves to another backend. Claims belong to one configuration: start without any when it changes, and pass none while the first
 * lists still arrive, so that clashes seen at start have no first comer.
 */
export type Claims = ReadonlyMap<string, { backend: BackendId; native: string }>

type Kind = Conflict['kind']

/** Kinds hold no space, so that two kinds never share a key. */
const claimKey = (kind: Kind, name: string): string => `${kind} ${name}`

/** The claimed name, when the key is of this kind. */
export function claimedName(kind: Kind, key: string): string | undefined {
  return key.startsWith(`${kind} `) ? key.slice(kind.length + 1) : undefined
}

/**
 * The claims after this catalogue: its own names, and those that it withholds from their owners. A backend without any entry in it
 * may only be silent, so it keeps what it had; the others lose what they no longer offer, which also bounds the memory that a
 * backend with changing names can take. What is `reserved` in the contributions counts as offered.
 */
export function claimsOf(
  catalogue: Catalogue,
  previous: Claims,
  contributions: readonly Pick<Contribution, 'backend' | 'reserved'>[] = [],
): Claims {
  const claims = new Map<string, { backend: BackendId; native: string }>()
  const present = new Set<BackendId>()
  const add = (kind: Kind, entries: ReadonlyMap<string, Entry>) => {
    for (const [name, { route }] of entries) {
      if (route.kind !== 'backend') continue
      claims.set(claimKey(kind, name), { backend: route.backend, native: route.native })
      present.add(route.backend)
    }
  }
  add('tool', catalogue.tools)
  add('prompt', catalogue.prompts)
  add('resource', catalogue.resources)
  add('template', catalogue.templates)
  const withheld = new Set(
    catalogue.conflicts
      .filter((conflict) => conflict.withheld)
      .map(({ kind, name }) => claimKey(kind, kind === 'tool' ? guardName(name) : name)),
  )
  const reserved = new Set<string>()
  for (const { backend, reserved: names } of contributions) {
    for (const { list, kind } of Object.values<Row>(KINDS)) {
      for (const native of names?.[list] ?? []) reserved.add(JSON.stringify([kind, backend, native]))
    }
  }
  const isReserved = (key: string, { backend, native }: { backend: BackendId; native: string }): boolean =>
    reserved.has(JSON.stringify([key.slice(0, key.indexOf(' ')), backend, native]))
  for (const [key, claim] of previous) {
    if (claims.has(key)) continue
    if (!present.has(claim.backend) || withheld.has(key) || isReserved(key, claim)) claims.set(key, claim)
  }
  return claims
}
