import type { Change } from '../../../model/call.ts'
import { notificationText } from '../../../protocol/jsonrpc.ts'
import { NO_CHANGE, mergeChanges, noticesOf } from '../listening/changes.ts'
import type { Deliver } from './legacy-client.ts'

/** Tells one legacy client that lists have changed. What it cannot be told now is merged, and told with the next flush. */
export class ListNotices {
  readonly #deliver: Deliver
  #missed: Change = NO_CHANGE

  constructor(deliver: Deliver) {
    this.#deliver = deliver
  }

  tell(change: Change): void {
    const told = noticesOf(change).every((method) => this.#deliver(notificationText(method, {})))
    if (!told) this.#missed = mergeChanges(this.#missed, change)
  }

  /** The client can be reached again. */
  flush(): void {
    const missed = this.#missed
    this.#missed = NO_CHANGE
    this.tell(missed)
  }
}
