import type { GatewayConfig } from '../config/gateway-config.ts'
import { CliError, EXIT } from './exit.ts'
import { printError } from './terminal.ts'

/** Sections that protect: serving without them would open what the file means to close. */
const PROTECTIVE = /^incomingAuth/

/** A file that asks for protection that this version does not have is not served; the rest is told. */
export function refuseUnserved(config: GatewayConfig): void {
  const protective = config.laterSections.filter((section) => PROTECTIVE.test(section))
  if (protective.length > 0) {
    throw new CliError(
      EXIT.config,
      `this version cannot enforce ${protective.join(', ')}, and does not serve a file that asks for it unprotected`,
      'take the section out to serve without it, on a loopback address',
    )
  }
  const ignored = config.laterSections
  if (ignored.length > 0) printError(`warning: not served by this version, ignored: ${ignored.join(', ')}`)
}
