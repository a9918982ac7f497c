import { afterAll, beforeAll, describe, test } from 'vitest'

import { startGateway, type TestGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'
import { CAPABILITIES, CLIENTS } from './cells.ts'
import { covers } from './covers.ts'
import { checkFeature } from './features.ts'
import { connect, overHttp, type MatrixClient } from './peers/clients.ts'
import { startDualHttp, type HttpPeer } from './peers/http.ts'
import { vendorMethodOf } from './peers/offer.ts'
import { FEATURES, ruledOut } from './requirements/features.ts'

const NAME = 'dual'
let peer: HttpPeer
let gateway: TestGateway
beforeAll(async () => {
  peer = await startDualHttp(NAME)
  gateway = await startGateway({
    backends: [{ name: NAME, url: peer.url, methods: [vendorMethodOf(NAME)] }],
    aggregation: { conflictResolutionConfig: { prefixFormat: '{workload}_' } },
  })
  // It is found in one era; the other one is learnt with time.
  const [backend] = gateway.gateway.current.backends
  await waitFor(() => (['legacy', 'modern'] as const).every((era) => backend?.servingEra(era) === era))
})
afterAll(async () => {
  await gateway.close()
  await peer.close()
})

describe.each(CLIENTS)('SDK $sdk, $era client before a backend of both eras', ({ sdk, era }) => {
  const leg = { era, wire: 'http' } as const
  let client: MatrixClient
  beforeAll(async () => {
    client = await connect(sdk, leg, overHttp(gateway.url), CAPABILITIES[era])
  })
  afterAll(() => client.close())

  for (const feature of FEATURES) {
    if (ruledOut(feature, leg, leg)) continue
    test(feature.name, covers('rule.dual-era'), () => checkFeature(feature.name, client, leg, NAME))
  }
})
