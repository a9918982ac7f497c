import { afterAll, beforeAll, describe, test } from 'vitest'

import { covers } from './covers.ts'
import { checkFeature } from './features.ts'
import type { MatrixClient, Sdk } from './peers/clients.ts'
import { CELLS } from './requirements/cells.ts'
import type { Wire } from './requirements/row.ts'
import { startSetup, type Setup } from './setup.ts'

/** Clients of both eras, made of the SDKs that have them. */
const CLIENTS: readonly { sdk: Sdk; era: 'legacy' | 'modern' }[] = [
  { sdk: 'v1', era: 'legacy' },
  { sdk: 'v2', era: 'legacy' },
  { sdk: 'v2', era: 'modern' },
]

/** The tests of all cells whose client is on this transport: one gateway and one client for all of them. */
export function describeCells(wire: Wire): void {
  let setup: Setup
  beforeAll(async () => {
    setup = await startSetup()
  })
  afterAll(() => setup.close())

  const clients = CLIENTS.filter(({ era }) => wire !== 'sse' || era === 'legacy')
  describe.each(clients)(`SDK $sdk, $era client over ${wire}`, ({ sdk, era }) => {
    let client: MatrixClient
    beforeAll(async () => {
      client = await setup.connect(sdk, { era, wire })
    })
    const cells = CELLS.filter((cell) => cell.client.era === era && cell.client.wire === wire)
    for (const { id, feature, backend, status } of cells) {
      if (status !== 'carried') continue
      test(`${feature}, ${backend.era} backend over ${backend.wire}`, covers(id), () =>
        checkFeature(feature, client, backend),
      )
    }
  })
}
