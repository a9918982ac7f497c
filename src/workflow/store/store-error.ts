/**
 * `foreign`: the file is something else. `damaged`: it cannot be read, or not as it was written. `newer`: written by a
 * later version. `sealed`: with other keys. `failed`: disk, permissions, another process that does not let go.
 */
export type StoreFault = 'foreign' | 'damaged' | 'newer' | 'sealed' | 'failed'

/** A store cannot be used, and why. The message is for the operator. */
export class StoreError extends Error {
  readonly kind: StoreFault

  constructor(kind: StoreFault, message: string) {
    super(message)
    this.kind = kind
  }
}
