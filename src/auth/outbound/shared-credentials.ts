import type { BackendSpec } from '../../model/backend.ts'
import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { fingerprint } from '../../model/fingerprint.ts'
import type { BackendId } from '../../model/ids.ts'

/** A backend that is shown something. */
export type ShownSpec = BackendSpec & { credential: CredentialSpec }

/** What is shown to backends, made once for equal specs. */
export interface SharedCredentials {
  /** For one more user; it ends when the last of them has closed what he got. */
  use(spec: ShownSpec, url: string): Credential
  /** Of the backend of this name, while anybody uses what is shown to it. */
  specOf(id: BackendId | string): BackendSpec | undefined
  close(): void
}

interface Held {
  readonly spec: ShownSpec
  readonly credential: Credential
  users: number
}

/** `unused`: told when nobody uses anything any more that is shown to a backend. */
export function createSharedCredentials(
  create: (spec: ShownSpec) => Credential,
  unused: (id: BackendId) => void,
): SharedCredentials {
  const all = new Map<string, Held>()

  const specOf = (id: BackendId | string): BackendSpec | undefined =>
    [...all.values()].findLast(({ spec }) => spec.id === id)?.spec

  function hold(key: string, spec: ShownSpec): Held {
    const held = { spec, credential: create(spec), users: 0 }
    all.set(key, held)
    return held
  }

  function release(key: string, held: Held): void {
    if (--held.users > 0) return
    held.credential.close()
    if (all.get(key) !== held) return
    all.delete(key)
    if (!specOf(held.spec.id)) unused(held.spec.id)
  }

  return {
    use(spec, url) {
      const key = fingerprint([spec.id, url, spec.credential])
      const held = all.get(key) ?? hold(key, spec)
      held.users++
      return ofOneUser(held.credential, () => release(key, held))
    },
    specOf,
    close() {
      for (const { credential } of all.values()) credential.close()
      all.clear()
    },
  }
}

/** Others may go on with the credential when this user has closed his. */
function ofOneUser(credential: Credential, release: () => void): Credential {
  const leaves = new Set<() => void>()
  let isOpen = true
  return {
    ...credential,
    subscribe(listener) {
      const leave = credential.subscribe(listener)
      leaves.add(leave)
      return () => {
        leaves.delete(leave)
        leave()
      }
    },
    close() {
      for (const leave of leaves) leave()
      leaves.clear()
      if (isOpen) release()
      isOpen = false
    },
  }
}
