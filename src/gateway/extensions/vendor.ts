import type { Backend } from '../../backends/backend.ts'
import type { UpstreamRequest } from '../../backends/leg.ts'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { BackendId } from '../../model/ids.ts'
import { methodNotFound } from '../../protocol/jsonrpc.ts'
import { callOrPark } from '../call-backend.ts'
import { outcomeOf } from '../outcome.ts'
import type { Parking } from '../questions/parking.ts'
import { requestTo } from '../upstream.ts'

export interface VendorParts {
  backends: ReadonlyMap<BackendId, Backend>
  /** Methods outside the protocol, and the backend of each (`backends[].methods`). */
  methods: ReadonlyMap<string, BackendId>
  parking: Parking
}

/** A method of a vendor: to the backend that the operator gave it to, params and result untouched. */
export async function callVendor(
  call: Call & { kind: 'vendor' },
  context: Context,
  { backends, methods, parking }: VendorParts,
): Promise<Outcome> {
  const { method, params } = call
  const owner = methods.get(method)
  const backend = owner && backends.get(owner)
  if (!backend) throw new GatewayError('METHOD_UNKNOWN', methodNotFound(method).message)
  const request = requestTo(method, params, {}, backend.spec.id, context)
  const run = async (asked: UpstreamRequest): Promise<Outcome> =>
    outcomeOf(await backend.call(asked), context, backend.spec.id)
  return callOrPark(backend, call, context, request, parking, run)
}
