import type { NativeLists } from '../model/backend.ts'
import type { BackendId } from '../model/ids.ts'

/** What one configured backend brings to the catalogue. */
export interface Contribution {
  backend: BackendId
  /** Last known lists; undefined: never answered. */
  lists: NativeLists | undefined
  /** False: its entries are kept as `unreachable`. */
  reachable: boolean
}
