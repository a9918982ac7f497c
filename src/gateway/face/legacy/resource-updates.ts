import type { Gateway } from '../../gateway.ts'
import { Followed } from './followed.ts'
import type { LegacyClient } from './legacy-client.ts'

/** `resources/subscribe` of a legacy client (up to 2025-11-25). Throws what `Followed.add` throws. */
export async function subscribe({ core }: Gateway, client: LegacyClient, uri: string): Promise<void> {
  client.followed ??= new Followed(
    (followed, listener) => core.follow(followed, client, listener),
    (update) => client.tellUpdated(update),
  )
  await client.followed.add(uri)
}

/** `resources/unsubscribe`: harmless when there is no such subscription. */
export function unsubscribe(client: LegacyClient, uri: string): void {
  client.followed?.remove(uri)
}
