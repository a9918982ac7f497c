import type { JsonObject } from './json.ts'

/**
 * The capabilities of one caller as far as the gateway carries them, in the spelling of either era.
 * Minted in `protocol/capabilities`; equal keys mean equal profiles.
 */
export interface Profile {
  /** Short; empty for a caller that can do nothing. */
  readonly key: string
  /** For `initialize` of a legacy server. */
  readonly legacy: JsonObject
  /** For the envelope of a request to a modern server. */
  readonly modern: JsonObject
}

export const NO_PROFILE: Profile = { key: '', legacy: {}, modern: {} }
