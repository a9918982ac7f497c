import type { GatewayConfig } from '../config/gateway-config.ts'
import { printError } from './terminal.ts'

/** Tells of sections of a file that this version does nothing with. None of them protects anything. */
export function tellUnserved({ laterSections }: GatewayConfig): void {
  if (laterSections.length > 0) {
    printError(`warning: not served by this version, ignored: ${laterSections.join(', ')}`)
  }
}
