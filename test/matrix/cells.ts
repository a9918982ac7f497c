import { afterAll, beforeAll, describe, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { covers } from './covers.ts'
import { checkFeature } from './features.ts'
import { ABLE, type MatrixClient, type Sdk } from './peers/clients.ts'
import { TASKS } from './peers/offer.ts'
import { CELLS } from './requirements/cells.ts'
import type { Wire } from './requirements/row.ts'
import { startSetup, type Setup } from './setup.ts'

/** Clients of both eras, made of the SDKs that have them. */
export const CLIENTS: readonly { sdk: Sdk; era: 'legacy' | 'modern' }[] = [
  { sdk: 'v1', era: 'legacy' },
  { sdk: 'v2', era: 'legacy' },
  { sdk: 'v2', era: 'modern' },
]

/** Both of them run tools as tasks, each in the words of its era. */
export const CAPABILITIES: Record<'legacy' | 'modern', JsonObject> = {
  legacy: ABLE,
  modern: { ...ABLE, extensions: { [TASKS]: {} } },
}

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
      client = await setup.connect(sdk, { era, wire }, CAPABILITIES[era])
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
