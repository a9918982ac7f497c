import type { EntityUidJson } from './cedar.ts'

export interface Uid {
  type: string
  id: string
}

export const uidOf = (json: EntityUidJson): Uid => ('__entity' in json ? json.__entity : json)

/** As a policy writes it: `Tool::"search"`. */
export const uidText = (uid: Uid): string => `${uid.type}::${JSON.stringify(uid.id)}`
