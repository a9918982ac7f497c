import type { NativeLists } from '../model/backend.ts'
import type { ListKind } from '../model/catalogue.ts'
import type { BackendId } from '../model/ids.ts'

/** What one configured backend brings to the catalogue. */
export interface Contribution {
  backend: BackendId
  /** Last known lists; undefined: never answered. */
  lists: NativeLists | undefined
  /** False: its entries are kept as `unreachable`. */
  reachable: boolean
  /** Native names (URIs, templates) that stay its own although their definitions are withheld. */
  reserved?: Partial<Record<ListKind, readonly string[]>>
}
